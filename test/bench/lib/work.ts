import { addCosts, type Cost, costOf } from '../../../server/graph/cost.js';
import { type BuiltPart, partsOf, segmentOf } from '../../../server/graph/segmentParts.js';
import type { Call } from '../../../server/graph/sizes.js';
import type { Model } from '../../../server/runtime/model.js';
import { CHUNK } from '../../../server/runtime/run.js';
import { sizeOf } from '../../../server/tensor/tensor.js';

/** Weights count as they are stored in the file. */
function costs({ checkpoint, bound }: Model, parts: readonly BuiltPart[], call: Call): Cost {
  const stored = (name: string) => {
    const entry = checkpoint.tensors.get(name);
    return entry ? entry.bytes / sizeOf(entry.shape) : Float32Array.BYTES_PER_ELEMENT;
  };
  return addCosts(parts.map((part) => costOf(segmentOf(bound, part).graph, call, stored)));
}

/** Bytes that one token behind others has to read and write: every weight once, and the state in fp32. */
export function decodeBytes(model: Model, past: number): number {
  const cost = costs(model, partsOf(model.bound), { batch: 1, tokens: 1, past });
  return cost.weightBytes + cost.stateRead + cost.stateWritten;
}

/** Multiplications and additions of the matrix products of a prompt, and of the logits of its last token. */
export function prefillFlops(model: Model, tokens: number): number {
  const blocks = partsOf(model.bound).filter((part) => part !== 'head');
  // the tokens of a call are scored against each other whole, those behind a token as well
  const calls = Array.from({ length: Math.ceil(tokens / CHUNK) }, (_, i) => ({
    batch: 1,
    tokens: Math.min(CHUNK, tokens - i * CHUNK),
    past: i * CHUNK,
  }));
  const head = costs(model, ['head'], { batch: 1, tokens: 1, past: tokens - 1 });
  return calls.reduce((sum, call) => sum + costs(model, blocks, call).matmulFlops, head.matmulFlops);
}
