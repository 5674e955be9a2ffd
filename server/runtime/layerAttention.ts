import { firstHidden, keysSeen } from '../graph/blocks/sees.js';
import { copiesGraph, type StripKind, stripGraph } from '../graph/strip.js';
import { once } from '../protocol/once.js';
import { cut, length } from '../tensor/ranges.js';
import type { AttentionReader, AttentionRows, OutlinedRows, PartRequest, PooledRows, WholeRequest } from './attentionRows.js';
import { type Feed, f32, i64, type Step } from './device.js';
import type { HostTensor } from './elements.js';
import { LayerKeys } from './layerKeys.js';
import type { Run } from './run.js';
import { nearKeys, outlinedRows, outlineOutputs, partOutputs, partRows, type Strip, wholeOutputs, wholeRows } from './strips.js';
import type { LayerView, TokenRange } from './view.js';

/** Queries of one call of the device: between two calls others have their turn, and a cancelled request ends. */
const ROWS = 256;
/** Scores held at once, 4 MB: they stay in a core's cache while they are normalised and pooled. */
const SCORES = 1 << 20;
/** Fewer rows are not worth a call. */
const LEAST_ROWS = 2;
/** Largest weights told of each row. */
const LISTED = 10;

const tensor = (value: HostTensor): Feed => ({ kind: 'tensor', tensor: value });
const numbers = (...values: number[]): Feed => tensor(i64([values.length], values));

/**
 * The attention of one layer from what it multiplies: queries are made from the residual checkpoint as they are needed, keys are on the device,
 * and of the weights only what is asked for comes back. Memory grows with the tokens, not with their square.
 */
export class LayerAttention implements AttentionReader {
  readonly keys: LayerKeys;
  readonly #sinks = once(async () => {
    const name = `blocks.${this.layer.index}.attn.sinks`;
    const probes = await this.run.probes([name], { range: { from: 0, to: 1 } });
    return probes.get(name)?.data as Float32Array;
  });
  #reading = 0;

  constructor(
    private readonly run: Run,
    private readonly layer: LayerView,
  ) {
    this.keys = new LayerKeys(run, layer);
  }

  /** While somebody reads, the keys stay. */
  get busy(): boolean {
    return this.#reading > 0;
  }

  outline(request: WholeRequest, visit: (rows: OutlinedRows) => void, signal?: AbortSignal): Promise<void> {
    return this.#read(signal, () => this.#outline(request, visit, signal));
  }

  whole(request: WholeRequest, visit: (rows: AttentionRows) => void, signal?: AbortSignal): Promise<void> {
    return this.#read(signal, () => this.#whole(request, visit, signal));
  }

  part(request: PartRequest, visit: (rows: PooledRows) => void, signal?: AbortSignal): Promise<void> {
    return this.#read(signal, () => this.#part(request, visit, signal));
  }

  async #read(signal: AbortSignal | undefined, read: () => Promise<void>): Promise<void> {
    this.#reading++;
    try {
      await this.run.model.holding(async () => {
        await this.keys.ready(signal);
        await read();
      });
    } finally {
      this.#reading--;
    }
  }

  async #outline({ rows, heads, pool }: WholeRequest, visit: (rows: OutlinedRows) => void, signal?: AbortSignal): Promise<void> {
    const session = await this.#session('outline', true);
    const sinks = await this.#sinkScores();
    for (const block of this.run.alike(rows, ROWS)) {
      const strips = this.#strips(block, heads, this.#seen(pool));
      const { first, step } = await this.keys.queries(block, 'q', signal);
      const given = (strip: Strip) => ({ ...this.#mask(strip), ...sinks(strip) });
      const steps = strips.map((strip) => this.#step(session, strip, first, pool, given(strip), outlineOutputs));
      const out = await this.run.model.device.run([step, ...steps], signal ? { signal } : {});
      for (const strip of strips) for (const part of outlinedRows(strip, pool, out)) visit(part);
    }
  }

  async #whole({ rows, heads, pool }: WholeRequest, visit: (rows: AttentionRows) => void, signal?: AbortSignal): Promise<void> {
    const session = await this.#session('all', true);
    const sinks = await this.#sinkScores();
    for (const block of this.run.alike(rows, ROWS)) {
      const strips = this.#strips(block, heads, this.#seen(pool));
      const { first, step } = await this.keys.queries(block, 'q', signal);
      const steps: Step[] = [step];
      for (const [i, strip] of strips.entries()) {
        if (strip.rows !== strips[i - 1]?.rows) steps.push(await this.#copies(strip));
        const cells = Math.min(LISTED, length(strip.keys) / pool);
        const given = {
          ...this.#mask(strip),
          ...sinks(strip),
          same: { kind: 'register', name: 'same' },
          'near.at': tensor(nearKeys(strip)),
          'best.cells': numbers(cells),
          'best.count': numbers(Math.min(LISTED, cells * pool)),
        } as const;
        steps.push(this.#step(session, strip, first, pool, given, wholeOutputs));
      }
      const out = await this.run.model.device.run(steps, signal ? { signal } : {});
      for (const strip of strips) for (const part of wholeRows(strip, pool, out)) visit(this.#withoutItself(part));
    }
  }

  async #part(
    { rows, keys, head, pool, norms }: PartRequest,
    visit: (rows: PooledRows) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const tokens = this.run.ids.length;
    for (const block of this.run.alike(rows, ROWS)) {
      const strips = this.#strips(block, { from: head, to: head + 1 }, (part) => {
        const seen = keysSeen(this.#spec, part, tokens);
        const [from, to] = [Math.max(keys.from, seen.from), Math.min(keys.to, seen.to)];
        return from < to ? cellsAround({ from, to }, pool) : { from, to: from };
      }).filter((strip) => length(strip.keys) > 0);
      if (strips.length === 0) continue;
      const { first, step } = await this.keys.queries(block, 'q', signal);
      const steps: Step[] = [step];
      for (const strip of strips) {
        const masked = strip.keys.to > tokens || firstHidden(this.#spec, strip.rows, strip.keys) < strip.keys.to;
        const top = norms.top.slice(strip.rows.from - norms.first, strip.rows.to - norms.first);
        const given = { ...(masked && this.#mask(strip)), top: tensor(f32([1, top.length, 1], top)) };
        steps.push(this.#step(await this.#session('part', masked), strip, first, pool, given, partOutputs));
      }
      const out = await this.run.model.device.run(steps, signal ? { signal } : {});
      for (const strip of strips) visit(partRows(strip, pool, norms, out));
    }
  }

  get #spec() {
    return this.layer.attention as NonNullable<LayerView['attention']>;
  }

  /** Keys that rows see, in whole cells. */
  #seen = (pool: number) => (rows: TokenRange) => cellsAround(keysSeen(this.#spec, rows, this.run.ids.length), pool);

  /** Cuts rows so that the scores of each strip fit; the heads of a strip share their keys. */
  #strips(rows: TokenRange, heads: TokenRange, keys: (rows: TokenRange) => TokenRange): Strip[] {
    const groups = cut(heads, this.keys.shared);
    const widest = Math.max(...groups.map(length)) * Math.max(1, length(keys(rows)));
    return cut(rows, Math.max(LEAST_ROWS, Math.floor(SCORES / widest))).flatMap((part) =>
      groups.map((group) => ({ name: `${part.from}.${group.from}`, heads: group, rows: part, keys: keys(part) })),
    );
  }

  #session(reads: StripKind['reads'], masked: boolean): Promise<number> {
    const { scale, softcap, window, chunk, causal, sinks } = this.#spec;
    const kind = { spec: this.#spec, size: this.keys.size, reads, masked };
    const key = JSON.stringify(['strip', reads, masked, kind.size, scale, softcap, window, chunk, causal, sinks]);
    return this.run.model.tool(key, () => stripGraph(kind));
  }

  /** One strip of the queries in register q, of which `first` is the first. */
  #step(
    session: number,
    { name, heads, rows, keys }: Strip,
    first: number,
    pool: number,
    given: Readonly<Record<string, Feed>>,
    outputs: readonly string[],
  ): Step {
    return {
      session,
      feeds: {
        q: { kind: 'register', name: 'q' },
        from: numbers(heads.from, rows.from - first),
        to: numbers(heads.to, rows.to - first),
        k: this.keys.feed(heads.from, keys),
        shape: numbers(length(heads), length(rows), length(keys)),
        cells: numbers(0, 0, -1, pool),
        ...given,
      },
      sinks: Object.fromEntries(outputs.map((output) => [output, [{ kind: 'return', name: `${name}.${output}` } as const]])),
    };
  }

  #mask({ rows, keys }: Strip): Readonly<Record<string, Feed>> {
    const tokens = this.run.ids.length;
    const open = Math.min(firstHidden(this.#spec, rows, keys), tokens) - keys.from;
    return { query: numbers(rows.from), key: numbers(keys.from), open: numbers(open), tokens: numbers(tokens) };
  }

  /** Register `same`: which keys follow a copy of the query's token. The heads of a layer share it. */
  async #copies({ rows, keys }: Strip): Promise<Step> {
    const { ids } = this.run;
    const { causal } = this.#spec;
    const column = (at: (token: number) => number) => tensor(f32([length(rows), 1], filled(rows, at)));
    const row = (at: (token: number) => number) => tensor(f32([1, length(keys)], filled(keys, at)));
    return {
      session: await this.run.model.tool(`copies ${causal}`, () => copiesGraph({ ...(causal !== undefined && { causal }) })),
      feeds: {
        id: column((token) => ids[token] as number),
        before: row((token) => ids[token - 1] ?? -1),
        ...(causal === false && { query: column((token) => token), key: row((token) => token) }),
      },
      sinks: { same: [{ kind: 'register', name: 'same' }] },
    };
  }

  /** A token right behind its own copy does not point at itself. */
  #withoutItself(part: AttentionRows): AttentionRows {
    if (this.#spec.causal === false) return part;
    const { ids } = this.run;
    const copies = part.copies.map((sum, r) => {
      const query = part.rows.from + r;
      return ids[query - 1] === ids[query] ? sum - (part.self[r] as number) : sum;
    });
    return { ...part, copies };
  }

  /** Scores of the sinks, as a strip is given them. */
  async #sinkScores(): Promise<(strip: Strip) => Readonly<Record<string, Feed>>> {
    if (!this.#spec.sinks) return () => ({});
    const scores = await this.#sinks();
    return ({ heads }) => ({ sinks: tensor(f32([length(heads), 1, 1], scores.slice(heads.from, heads.to))) });
  }
}

/** A number for each position. */
function filled({ from, to }: TokenRange, at: (position: number) => number): Float32Array {
  const values = new Float32Array(to - from);
  for (let i = 0; i < values.length; i++) values[i] = at(from + i);
  return values;
}

/** The multiples of `pool` around these keys. */
const cellsAround = ({ from, to }: TokenRange, pool: number): TokenRange => ({
  from: Math.floor(from / pool) * pool,
  to: Math.ceil(to / pool) * pool,
});
