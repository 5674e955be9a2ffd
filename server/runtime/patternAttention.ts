import { keysSeen } from '../graph/blocks/sees.js';
import { cut, length, positions, type Range } from '../tensor/ranges.js';
import { entropyBits } from '../tensor/reduce.js';
import type { Tensor } from '../tensor/tensor.js';
import type { AttentionReader, AttentionRows, OutlinedRows, PartRequest, PooledRows, WholeRequest } from './attentionRows.js';
import type { RunView } from './view.js';

/** Weights held at once. */
const WEIGHTS = 1 << 24;
/** Largest weights told of each row. */
const LISTED = 10;

/**
 * The attention of a layer that only gives its pattern: of an encoder, whose sequences are short, and of graphs from elsewhere. Rows are read a few
 * at a time and every weight comes here.
 */
export class PatternAttention implements AttentionReader {
  constructor(
    private readonly view: RunView,
    private readonly layer: number,
  ) {}

  async whole({ rows, heads, pool }: WholeRequest, visit: (rows: AttentionRows) => void, signal?: AbortSignal): Promise<void> {
    for (const block of this.#blocks(rows)) {
      const weights = await this.#read(block, signal);
      for (const head of positions(heads)) visit(this.#rows(head, block, pool, weights));
    }
  }

  /** All of it: the pattern is what costs. */
  outline(request: WholeRequest, visit: (rows: OutlinedRows) => void, signal?: AbortSignal): Promise<void> {
    return this.whole(request, visit, signal);
  }

  async part({ rows, keys, head, pool }: PartRequest, visit: (rows: PooledRows) => void, signal?: AbortSignal): Promise<void> {
    for (const block of this.#blocks(rows)) {
      const seen = keysSeen(this.#spec, block, this.view.ids.length);
      const part = { from: Math.max(keys.from, seen.from), to: Math.min(keys.to, seen.to) };
      if (part.from < part.to) visit(pooled(head, block, around(part, pool), pool, await this.#read(block, signal)));
    }
  }

  get #spec() {
    return this.view.layers[this.layer]?.attention ?? { heads: 1, window: null };
  }

  #blocks(rows: Range): readonly Range[] {
    return cut(rows, Math.max(1, Math.floor(WEIGHTS / (this.#spec.heads * this.view.ids.length))));
  }

  /** The weight of a query of these rows on a key, 0 where there is none. */
  async #read(rows: Range, signal?: AbortSignal): Promise<Weights> {
    const name = `blocks.${this.layer}.attn.pattern`;
    const { shape, data } = (await this.view.probes([name], { range: rows, ...(signal && { signal }) })).get(name) as Tensor;
    const [, R, S] = shape as [number, number, number];
    return (head, query, key) => (key >= 0 && key < S ? (data[(head * R + query - rows.from) * S + key] as number) : 0);
  }

  #rows(head: number, rows: Range, pool: number, weight: Weights): AttentionRows {
    const { ids } = this.view;
    const keys = around({ from: 0, to: keysSeen(this.#spec, rows, ids.length).to }, pool);
    const listed = Math.min(LISTED, length(keys));
    const perRow = (value: (query: number) => number) => Float32Array.from(positions(rows), value);
    const best = positions(rows).map((query) => heaviest(positions(keys), (key) => weight(head, query, key), listed));
    return {
      ...pooled(head, rows, keys, pool, weight),
      norms: { first: rows.from, top: perRow(() => 0), total: perRow(() => 1) },
      received: Float32Array.from(positions(keys), (key) =>
        positions(rows).reduce((sum, query) => sum + weight(head, query, key), 0),
      ),
      entropy: perRow((query) => entropyBits(positions(keys).map((key) => weight(head, query, key)))),
      self: perRow((query) => weight(head, query, query)),
      previous: perRow((query) => weight(head, query, query - 1)),
      sink: perRow((query) => weight(head, query, 0)),
      copies: perRow((query) =>
        positions({ from: 1, to: query }).reduce(
          (sum, key) => sum + (ids[key - 1] === ids[query] ? weight(head, query, key) : 0),
          0,
        ),
      ),
      listed,
      best: Float32Array.from(best.flatMap((found) => found.map(({ weight }) => weight))),
      bestKeys: Int32Array.from(best.flatMap((found) => found.map(({ key }) => key))),
    };
  }
}

type Weights = (head: number, query: number, key: number) => number;

const around = ({ from, to }: Range, pool: number): Range => ({
  from: Math.floor(from / pool) * pool,
  to: Math.ceil(to / pool) * pool,
});

function pooled(head: number, rows: Range, keys: Range, pool: number, weight: Weights): PooledRows {
  const cells = length(keys) / pool;
  const [max, sum] = [new Float32Array(length(rows) * cells), new Float32Array(length(rows) * cells)];
  for (let query = rows.from; query < rows.to; query++)
    for (let key = keys.from; key < keys.to; key++) {
      const at = (query - rows.from) * cells + Math.floor((key - keys.from) / pool);
      const value = weight(head, query, key);
      max[at] = Math.max(max[at] as number, value);
      sum[at] = (sum[at] as number) + value;
    }
  return { head, rows, keys, pool, max, sum };
}

const heaviest = (keys: readonly number[], weight: (key: number) => number, count: number) =>
  keys
    .map((key) => ({ key, weight: weight(key) }))
    .sort((a, b) => b.weight - a.weight || a.key - b.key)
    .slice(0, count);
