/** A pair of neighbours that would merge: it starts at `at`, and ends at `end` unless one of them has merged since. */
interface Candidate {
  readonly rank: number;
  readonly at: number;
  readonly end: number;
}

const before = (a: Candidate, b: Candidate): boolean => a.rank < b.rank || (a.rank === b.rank && a.at < b.at);

/** The least candidate first. */
class Heap {
  readonly #items: Candidate[] = [];

  push(item: Candidate): void {
    let at = this.#items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, this.#items[parent] as Candidate)) break;
      this.#items[at] = this.#items[parent] as Candidate;
      at = parent;
    }
    this.#items[at] = item;
  }

  pop(): Candidate | undefined {
    const first = this.#items[0];
    const last = this.#items.pop();
    if (first === undefined || last === undefined || this.#items.length === 0) return first;
    let at = 0;
    for (let child = 1; child < this.#items.length; child = 2 * at + 1) {
      const right = this.#items[child + 1];
      if (right !== undefined && before(right, this.#items[child] as Candidate)) child++;
      if (!before(this.#items[child] as Candidate, last)) break;
      this.#items[at] = this.#items[child] as Candidate;
      at = child;
    }
    this.#items[at] = last;
    return first;
  }
}

/**
 * Byte pair encoding of one stretch in n log n: what a scan for the next merge makes quadratic.
 * @param text a unit a byte
 * @param rankOf rank of a token, which is the order of the merge that makes it
 * @returns the ranks of its tokens
 */
export function mergeLong(text: string, rankOf: ReadonlyMap<string, number>): number[] {
  // Symbol i goes from i to ends[i]; ends[i] = 0 says that it was merged into the one before.
  const ends = Int32Array.from({ length: text.length }, (_, i) => i + 1);
  const previous = Int32Array.from({ length: text.length }, (_, i) => i - 1);
  const heap = new Heap();
  const consider = (at: number) => {
    const middle = ends[at] as number;
    if (middle >= text.length) return;
    const end = ends[middle] as number;
    const rank = rankOf.get(text.slice(at, end));
    if (rank !== undefined) heap.push({ rank, at, end });
  };
  for (let i = 0; i + 1 < text.length; i++) consider(i);
  for (let pair = heap.pop(); pair !== undefined; pair = heap.pop()) {
    const middle = ends[pair.at] as number;
    if (middle === 0 || middle >= text.length || ends[middle] !== pair.end) continue;
    ends[pair.at] = pair.end;
    ends[middle] = 0;
    if (pair.end < text.length) previous[pair.end] = pair.at;
    consider(pair.at);
    const left = previous[pair.at] as number;
    if (left >= 0) consider(left);
  }
  const ids: number[] = [];
  for (let at = 0; at < text.length; at = ends[at] as number) ids.push(rankOf.get(text.slice(at, ends[at])) as number);
  return ids;
}
