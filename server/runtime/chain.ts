import type { Checkpoint } from '../formats/checkpoint.js';
import type { BoundStack, SegmentSpec } from '../graph/segment.js';
import { sizeOf } from '../tensor/tensor.js';
import { compile, type Piece, type Purpose, type Workshop } from './compile.js';

/**
 * A run can be cancelled between pieces. Small blocks share one up to this many parameters: a piece is never more work than one block of
 * that size (a quarter of a second for 512 tokens on two cores), and a larger block is a piece of its own. Sessions of single small blocks would cost
 * 10–15 % of prefill, since each works in memory of its own that is cold in the cache.
 */
const PIECE_PARAMETERS = 32_000_000;

/** For a single token a piece may be larger: each costs 0.2 ms besides its work. */
const STEP_PARAMETERS = 256_000_000;

/** Parameters of the largest block. */
function blockParameters(checkpoint: Checkpoint, { architecture, config, prefix }: BoundStack): number {
  const blocks = Array.from({ length: config.layers }, (_, i) => prefix + architecture.blockPrefix(i));
  const counts = new Map(blocks.map((block) => [block, 0]));
  for (const { name, shape } of checkpoint.tensors.values()) {
    const block = blocks.find((b) => name.startsWith(b));
    if (block !== undefined) counts.set(block, (counts.get(block) ?? 0) + sizeOf(shape));
  }
  return Math.max(1, ...counts.values());
}

/** embed, groups of blocks, head: run in order they are the model. */
export function chainOf(
  checkpoint: Checkpoint,
  bound: BoundStack,
  purpose: 'generate' | 'step',
  { blocksPerPiece, capture = true }: { readonly blocksPerPiece?: number | undefined; readonly capture?: boolean | undefined },
): SegmentSpec[] {
  const { layers } = bound.config;
  const most = purpose === 'step' ? STEP_PARAMETERS : PIECE_PARAMETERS;
  const size = blocksPerPiece ?? Math.max(1, Math.floor(most / blockParameters(checkpoint, bound)));
  const groups = Array.from({ length: Math.ceil(layers / size) }, (_, i): SegmentSpec => {
    const [from, to] = [i * size, Math.min((i + 1) * size, layers)];
    const inner = capture ? Array.from({ length: to - from - 1 }, (_, j) => `blocks.${from + 1 + j}.resid_pre`) : [];
    return { from, to, embed: false, head: false, probes: new Set(inner) };
  });
  return [{ from: 0, to: 0, embed: true, head: false }, ...groups, { from: layers, to: layers, embed: false, head: true }];
}

/** Compiles a chain piece by piece; `goOn` is called before each and may throw. What was compiled until then is added to `pieces`. */
export async function compileChain(
  shop: Workshop,
  specs: readonly SegmentSpec[],
  purpose: Exclude<Purpose, { for: 'inspect' }>,
  pieces: Piece[],
  goOn: () => void,
): Promise<void> {
  for (const spec of specs) {
    goOn();
    // rows of a table need no packing
    const mapped = spec.embed && spec.to === spec.from && purpose.for === 'generate';
    pieces.push(await compile(shop, spec, mapped ? { for: 'inspect', outputs: undefined } : purpose));
  }
}
