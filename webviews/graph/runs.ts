import type { OutlinePart } from '../../server/protocol/graph.js';

/** Blocks that are built alike, or a pattern of a few that repeats. */
export interface BlockRun {
  readonly parts: readonly OutlinePart[];
  /** Blocks until the pattern begins again. */
  readonly period: number;
}

const LONGEST_PERIOD = 12;

/** Splits consecutive blocks into runs, each as long as it can be with the shortest pattern. A block that is like no neighbour is a run of its own. */
export function blockRuns(blocks: readonly OutlinePart[]): BlockRun[] {
  const runs: BlockRun[] = [];
  let at = 0;
  while (at < blocks.length) {
    const best = longestRun(blocks, at);
    runs.push({ parts: blocks.slice(at, at + best.length), period: best.period });
    at += best.length;
  }
  return runs;
}

function longestRun(blocks: readonly OutlinePart[], at: number): { readonly length: number; readonly period: number } {
  let best = { length: 1, period: 1 };
  for (let period = 1; period <= LONGEST_PERIOD; period++) {
    let same = 0;
    while (blocks[at + same + period] && blocks[at + same + period]?.structure === blocks[at + same]?.structure) same++;
    const length = Math.floor((same + period) / period) * period;
    if (length >= 2 * period && length > best.length) best = { length, period };
  }
  return best;
}

/** `30 × attention`, or `4 × (5 mamba, 1 attention)`. */
export function runTitle({ parts, period }: BlockRun): string {
  const pattern: { mixer: string; times: number }[] = [];
  for (const { mixer } of parts.slice(0, period)) {
    const last = pattern.at(-1);
    if (last?.mixer === mixer) last.times++;
    else pattern.push({ mixer: mixer ?? '', times: 1 });
  }
  const times = parts.length / period;
  const told = pattern.map(({ mixer, times: n }) => (n > 1 ? `${n} ${mixer}` : mixer)).join(', ');
  return period === 1 ? `${times} × ${told}` : `${times} × (${told})`;
}
