import type { FilledInput, PassedState, TokenInputs } from '../../graph/onnx/tokenGraph.js';
import type { ElementType, HostTensor } from '../elements.js';
import { convert, elementOf, elements } from '../elements.js';
import type { Tensors } from '../forward.js';

/** What a call is about: tokens from…to−1 of a sequence, whose state holds those before. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const longs = (dims: readonly number[], values: BigInt64Array, dtype: string): HostTensor =>
  convert({ type: 'int64', dims, data: values }, elementOf(dtype) as ElementType) as HostTensor;

/** Token ids [1, to − from]. */
export const idsTensor = (ids: readonly number[], { from, to }: Span, dtype: string): HostTensor =>
  longs([1, to - from], BigInt64Array.from(ids.slice(from, to), BigInt), dtype);

/** What an input other than tokens and state is given for them. */
export function filledTensor({ shape, filler, dtype }: FilledInput, { from, to }: Span, batch = 1): HostTensor {
  const sizes = shape.map((size) => (size === 'new' ? to - from : size === 'all' ? to : size));
  const dims = sizes.length > 1 && sizes[0] === 1 ? [batch, ...sizes.slice(1)] : sizes;
  const values = new BigInt64Array(dims.reduce((n, d) => n * d, 1));
  if (filler === 'ones') values.fill(1n);
  else if (filler === 'positions') for (let i = 0; i < values.length; i++) values[i] = BigInt(from + (i % (to - from)));
  else if (filler !== 'zeros') values.fill(BigInt(filler.value));
  return longs(dims, values, dtype);
}

/** State before the first token: zeros, or no rows. */
export function emptyState({ dtype, shape }: PassedState): HostTensor {
  const type = elementOf(dtype) as ElementType;
  return { type, dims: shape, data: new elements[type].array(shape.reduce((n, d) => n * d, 1)) };
}

/** What was not given and follows from the ids: masks, positions, and for one sequence the state before its first token. */
export function filledIn(words: TokenInputs | null, given: Tensors): Map<string, HostTensor> {
  const ids = words && given.get(words.ids.name);
  const made = new Map<string, HostTensor>();
  if (!ids) return made;
  const [batch, T] = ids.dims as readonly [number, number];
  const past = words.states.flatMap(({ input, grows }) => (grows === null ? [] : (given.get(input)?.dims[grows] ?? [])))[0] ?? 0;
  for (const filled of words.filled)
    if (!given.has(filled.name)) made.set(filled.name, filledTensor(filled, { from: past, to: past + T }, batch));
  if (batch === 1) for (const state of words.states) if (!given.has(state.input)) made.set(state.input, emptyState(state));
  return made;
}
