import type { AttentionEdge } from '../protocol/attention.js';
import type { AttentionRows } from '../runtime/attentionRows.js';

/** Edges kept of one head. */
const KEPT = 256;

/** The heaviest edges of what goes by, at most KEPT: neither a token on itself nor on the first one. */
export class StrongestEdges {
  #edges: AttentionEdge[] = [];
  /** What an edge must weigh to be among them. */
  #least = 0;

  /** Rows list more weights than the two that are left out, so that what a row could contribute is there. */
  add({ head, rows, listed, best, bestKeys }: AttentionRows): void {
    for (let r = 0; r < rows.to - rows.from; r++) {
      const query = rows.from + r;
      for (let i = r * listed; i < (r + 1) * listed; i++) {
        const [weight, key] = [best[i] as number, bestKeys[i] as number];
        if (weight <= this.#least) break;
        if (key !== query && key !== 0) this.#edges.push({ head, query, key, weight });
      }
    }
    if (this.#edges.length > 4 * KEPT) this.#shrink();
  }

  get list(): readonly AttentionEdge[] {
    this.#shrink();
    return this.#edges;
  }

  #shrink(): void {
    this.#edges = heaviest(this.#edges, KEPT);
    if (this.#edges.length === KEPT) this.#least = this.#edges.at(-1)?.weight ?? 0;
  }
}

export const heaviest = (edges: readonly AttentionEdge[], most: number): AttentionEdge[] =>
  [...edges].sort((a, b) => b.weight - a.weight || a.head - b.head || a.query - b.query || a.key - b.key).slice(0, most);
