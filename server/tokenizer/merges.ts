import type { MergeNode, TokenPart } from '../protocol/tokens.js';

interface Symbol {
  readonly spelling: string;
  readonly node: MergeNode;
}

export interface MergeRules {
  /** Rank of the merge of two neighbours, 0 = first, or undefined when they never merge. */
  rank(left: string, right: string): number | undefined;
  /** The spelling of both together. */
  join(left: string, right: string): string;
  /** The part that is spelled so, as it is shown. */
  part(spelling: string): TokenPart;
}

/** Symbols of a token at most: its tree is looked for pair by pair. */
const LONGEST = 2048;

/**
 * The tree of merges that make one token. Whatever stands beside a token in a text, the merges inside it are these: none crosses its borders,
 * or it would not be a token.
 */
export function mergeTree(symbols: readonly string[], rules: MergeRules): MergeNode {
  const leaf = (spelling: string): Symbol => ({
    spelling,
    node: { ...rules.part(spelling), rank: null, step: null, parts: [] },
  });
  const row = symbols.slice(0, LONGEST).map(leaf);
  for (let step = 1; row.length > 1; step++) {
    const best = bestPair(row, rules);
    if (best === null) break;
    const [left, right] = [row[best.at] as Symbol, row[best.at + 1] as Symbol];
    const spelling = rules.join(left.spelling, right.spelling);
    const node = { ...rules.part(spelling), rank: best.rank, step, parts: [left.node, right.node] };
    row.splice(best.at, 2, { spelling, node });
  }
  if (row.length === 1) return (row[0] as Symbol).node;
  const whole = row.map(({ spelling }) => spelling).reduce((left, right) => rules.join(left, right), '');
  return { ...rules.part(whole), rank: null, step: null, parts: row.map(({ node }) => node) };
}

/** The leftmost of the pairs that merge first. */
function bestPair(row: readonly Symbol[], rules: MergeRules): { readonly at: number; readonly rank: number } | null {
  let best: { readonly at: number; readonly rank: number } | null = null;
  for (let at = 0; at + 1 < row.length; at++) {
    const rank = rules.rank((row[at] as Symbol).spelling, (row[at + 1] as Symbol).spelling);
    if (rank !== undefined && (best === null || rank < best.rank)) best = { at, rank };
  }
  return best;
}
