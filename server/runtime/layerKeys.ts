import type { AttentionSpec } from '../graph/blocks/attention.js';
import { Builder } from '../graph/builder.js';
import type { Graph } from '../graph/ir.js';
import type { Piece } from './compile.js';
import { type Feed, i64, type Step } from './device.js';
import { inspectionFeeds, startOf } from './recompute.js';
import type { Run } from './run.js';
import type { LayerView, TokenRange } from './view.js';

/** Keys made at a time. */
const CHUNK = 1024;

/** Rows from `from` on of `rows` [1,K,T,E]. */
function rowsFrom(size: number): Graph {
  const g = new Builder('rows');
  const rows = g.input('rows', 'f32', ['B', 'K', 'T', size]);
  const to = g.ints(Number.MAX_SAFE_INTEGER);
  g.output('kept', g.op('Slice', [rows, g.input('from', 'i64', [1]), to, g.ints(2)], ['B', 'K', 'T.kept', size]));
  return g.graph;
}

/** What one layer multiplies: queries, made when they are needed, and keys, which are on the device. */
export class LayerKeys {
  readonly #spec: AttentionSpec;
  /** Heads of the keys: one where all heads read the same latent. */
  readonly heads: number;
  readonly #names: { readonly queries: string; readonly keys: string };
  /** Keys of the live state are what is multiplied, unless a window drops them or they are held as something else. */
  readonly #live: boolean;
  #made = 0;
  #making: Promise<void> = Promise.resolve();

  constructor(
    private readonly run: Run,
    private readonly layer: LayerView,
  ) {
    this.#spec = layer.attention as AttentionSpec;
    const latent = this.#spec.latent !== undefined;
    this.heads = latent ? 1 : this.#spec.kvHeads;
    const probe = (name: string) => `blocks.${layer.index}.attn.${name}`;
    this.#names = latent
      ? { queries: probe('latent_q'), keys: probe('latent_k') }
      : { queries: probe('rot_q'), keys: probe('rot_k') };
    this.#live = !latent && layer.state.some(({ name, kind, keeps }) => name === 'k' && kind === 'kv' && keeps === null);
  }

  /** Size of a query and a key. */
  get size(): number {
    return this.#spec.latent ?? this.#spec.headDim;
  }

  /** Query heads that share keys. */
  get shared(): number {
    return this.#spec.heads / this.heads;
  }

  get #name(): string {
    return `${this.run.key}keys.${this.layer.index}`;
  }

  /** Queries of these tokens, [1,H,T,E] in a register; `first` is the token it begins with. */
  async queries(rows: TokenRange, register: string, signal?: AbortSignal) {
    const piece = await this.#piece(this.#names.queries, rows);
    const computed = await startOf(this.run, piece, this.layer, rows, signal);
    return {
      first: computed.from,
      step: {
        session: piece.session,
        feeds: inspectionFeeds(this.run, piece, computed, this.layer.index),
        sinks: { [this.#names.queries]: [{ kind: 'register', name: register } as const] },
      },
    };
  }

  /** Keys from…to−1 as the head reads them, once `ready`. */
  feed(head: number, { from, to }: TokenRange): Feed {
    const name = this.#live ? this.run.stateName(this.layer.index, 'k') : this.#name;
    return { kind: 'part', name, head: Math.floor(head / this.shared), from, to };
  }

  /** Makes the keys of all tokens so far, where the live state does not hold them. */
  async ready(signal?: AbortSignal): Promise<void> {
    if (this.#live) return;
    const making = this.#making.catch(() => undefined).then(() => this.#make(signal));
    this.#making = making;
    await making;
  }

  /** Lets go of keys that were made. */
  async drop(): Promise<void> {
    await this.#making.catch(() => undefined);
    if (this.#made > 0) await this.run.model.device.free(this.#name);
    this.#made = 0;
  }

  async #make(signal?: AbortSignal): Promise<void> {
    const { device } = this.run.model;
    const tokens = this.run.ids.length;
    if (this.#made === tokens) return;
    if (this.#made === 0)
      await device.allocate({ [this.#name]: { name: 'k', kind: 'kv', shape: [this.heads, 'S', this.size], keeps: null } });
    while (this.#made < tokens) {
      const range = this.run.alike({ from: this.#made, to: tokens }, CHUNK)[0] as TokenRange;
      const piece = await this.#piece(this.#names.keys, range);
      const computed = await startOf(this.run, piece, this.layer, range, signal);
      const made: Step = {
        session: piece.session,
        feeds: inspectionFeeds(this.run, piece, computed, this.layer.index),
        sinks: { [this.#names.keys]: [{ kind: 'register', name: 'k' }] },
      };
      await device.run([made, await this.#append(range.from - computed.from)], signal ? { signal } : {});
      this.#made = range.to;
    }
  }

  /** Rows from `skipped` on of register k: a segment that reads a state begins where it is known, which may be earlier. */
  async #append(skipped: number): Promise<Step> {
    return {
      session: await this.run.model.tool(`rows ${this.size}`, () => rowsFrom(this.size)),
      feeds: { rows: { kind: 'register', name: 'k' }, from: { kind: 'tensor', tensor: i64([1], [skipped]) } },
      sinks: { kept: [{ kind: 'state', name: this.#name }] },
    };
  }

  #piece(probe: string, range: TokenRange): Promise<Piece> {
    const { index } = this.layer;
    const spec = { from: index, to: index + 1, embed: false, head: false, probes: new Set([probe]) };
    return this.run.inspection(spec, range);
  }
}
