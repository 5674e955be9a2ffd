/**
 * The merges that a SentencePiece BPE vocabulary implies. SentencePiece merges the neighbours whose union has the best score,
 * so the rank of a merge is the rank of the token it makes, and every way to make it is a merge.
 */
export function mergesOf(vocab: Readonly<Record<string, number>>, scores: readonly number[]): readonly [string, string][] {
  const made: { readonly pair: [string, string]; readonly score: number; readonly id: number }[] = [];
  for (const token in vocab) {
    const id = vocab[token] as number;
    const score = scores[id] as number;
    for (let cut = 1; cut < token.length; cut++) {
      const left = token.slice(0, cut);
      const right = token.slice(cut);
      if (left in vocab && right in vocab) made.push({ pair: [left, right], score, id });
    }
  }
  return made.sort((a, b) => b.score - a.score || a.id - b.id).map(({ pair }) => pair);
}
