/**
 * The merges that a SentencePiece BPE vocabulary implies. SentencePiece merges the neighbours whose union has the best score,
 * so the rank of a merge is the rank of the token it makes, and every way to make it is a merge.
 */
export function mergesOf(vocab: Readonly<Record<string, number>>, scores: readonly number[]): readonly [string, string][] {
  const ids = new Map(Object.entries(vocab));
  const made: { readonly pair: [string, string]; readonly score: number; readonly id: number }[] = [];
  for (const [token, id] of ids) {
    const score = scores[id] as number;
    // Of two ways to make a token at once, the one with the longer left part goes first, as in Gemma's own file.
    for (let cut = token.length - 1; cut > 0; cut--) {
      const [left, right] = [token.slice(0, cut), token.slice(cut)];
      if (ids.has(left) && ids.has(right)) made.push({ pair: [left, right], score, id });
    }
  }
  return made.sort((a, b) => b.score - a.score || a.id - b.id).map(({ pair }) => pair);
}
