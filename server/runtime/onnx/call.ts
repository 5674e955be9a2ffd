import type { Feed } from '../device.js';
import type { OnnxSequenceModel } from './sequenceModel.js';
import type { GraphSession } from './sessions.js';
import { filledTensor, idsTensor, type Span } from './tokenFeeds.js';

/**
 * What the inputs of a session are given to compute tokens from…to−1: ids, what is filled in, and by `give` the values and states it starts from.
 */
export function feedsOf(
  { tokens, inspections }: Pick<OnnxSequenceModel, 'tokens' | 'inspections'>,
  { inputs }: GraphSession,
  ids: readonly number[],
  span: Span,
  give: (name: string) => Feed,
): Record<string, Feed> {
  const feed = (input: string): Feed => {
    const name = inspections.probes.fed(input);
    if (name === tokens.ids.name) return { kind: 'tensor', tensor: idsTensor(ids, span, tokens.ids.dtype) };
    const filled = tokens.filled.find((each) => each.name === name);
    return filled ? { kind: 'tensor', tensor: filledTensor(filled, span) } : give(name);
  };
  return Object.fromEntries(inputs.map((input) => [input, feed(input)]));
}

/** Every output of a session, returned under the name of its value. */
export const returned = ({ outputs }: GraphSession) =>
  Object.fromEntries([...outputs].map(([name, output]) => [output, [{ kind: 'return', name } as const]]));
