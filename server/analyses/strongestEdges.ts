import { type AttentionEdge, MOST_EDGES } from '../protocol/attention.js';
import type { AttentionRows, PooledRows } from '../runtime/attentionRows.js';
import { length } from '../tensor/ranges.js';

/** The heaviest edges of one head as its rows go by, at most MOST_EDGES: neither a token on itself nor on the first one. */
export class StrongestEdges {
  #edges: AttentionEdge[] = [];
  /** What an edge must weigh to be among them. */
  #least = 0;
  /** Rows that did not list all their keys, with the smallest weight that they listed. */
  #cut: { readonly query: number; readonly last: number }[] = [];

  add({ head, rows, keys, listed, best, bestKeys }: AttentionRows): void {
    for (let r = 0; r < rows.to - rows.from; r++) {
      const query = rows.from + r;
      for (let i = r * listed; i < (r + 1) * listed; i++) {
        const [weight, key] = [best[i] as number, bestKeys[i] as number];
        if (weight <= this.#least) break;
        if (isEdge(query, key)) this.#edges.push({ head, query, key, weight });
      }
      const last = best[(r + 1) * listed - 1] as number;
      if (listed < length(keys) && last > this.#least) this.#cut.push({ query, last });
    }
    if (this.#edges.length > 4 * MOST_EDGES) this.#shrink();
  }

  /** Rows that may hold more of the heaviest edges than they listed: few, for each of them holds several. */
  get cutRows(): readonly number[] {
    this.#shrink();
    return this.#cut.map(({ query }) => query);
  }

  /** Every weight of some rows, one in a cell. */
  addWhole({ head, rows, keys, max }: PooledRows): void {
    for (let query = rows.from; query < rows.to; query++) {
      const known = new Set(this.#edges.filter((edge) => edge.query === query).map(({ key }) => key));
      for (let key = keys.from; key < keys.to; key++) {
        const weight = max[(query - rows.from) * length(keys) + key - keys.from] as number;
        if (weight > 0 && weight >= this.#least && isEdge(query, key) && !known.has(key))
          this.#edges.push({ head, query, key, weight });
      }
    }
  }

  get list(): readonly AttentionEdge[] {
    this.#shrink();
    return this.#edges;
  }

  #shrink(): void {
    this.#edges = heaviest(this.#edges, MOST_EDGES);
    if (this.#edges.length === MOST_EDGES) this.#least = this.#edges.at(-1)?.weight ?? 0;
    this.#cut = this.#cut.filter(({ last }) => last > this.#least);
  }
}

const isEdge = (query: number, key: number): boolean => key !== query && key !== 0;

export const heaviest = (edges: readonly AttentionEdge[], most: number): AttentionEdge[] =>
  [...edges].sort((a, b) => b.weight - a.weight || a.head - b.head || a.query - b.query || a.key - b.key).slice(0, most);
