import type { HeadScores } from '../protocol/attention.js';
import type { AttentionRows } from '../runtime/attentionRows.js';

/** Mean weights of a head on the places that well-known kinds of heads look at. A place that no row has scores 0. */
export class HeadTally {
  readonly #copyRows: number;
  #copies = 0;
  #previous = 0;
  #sink = 0;
  #entropy = 0;

  constructor(
    ids: readonly number[],
    private readonly tokens: number,
  ) {
    this.#copyRows = copyRows(ids, tokens);
  }

  add({ rows, copies, entropy, previous, sink }: AttentionRows): void {
    for (let r = 0; r < rows.to - rows.from; r++) {
      this.#copies += copies[r] as number;
      this.#entropy += entropy[r] as number;
      if (rows.from + r === 0) continue;
      this.#previous += previous[r] as number;
      this.#sink += sink[r] as number;
    }
  }

  scores(): HeadScores {
    const later = Math.max(1, this.tokens - 1);
    return {
      induction: this.#copies / Math.max(1, this.#copyRows),
      previous: this.#previous / later,
      sink: this.#sink / later,
      entropy: this.#entropy / Math.max(1, this.tokens),
    };
  }
}

/** Rows with an earlier copy of their token whose successor comes before them too: a token does not point at itself. */
function copyRows(ids: readonly number[], tokens: number): number {
  const first = new Map<number, number>();
  let rows = 0;
  for (let query = 0; query < tokens; query++) {
    const copy = first.get(ids[query] as number);
    if (copy === undefined) first.set(ids[query] as number, query);
    else if (copy + 1 < query) rows++;
  }
  return rows;
}
