import type { Keeps } from '../../protocol/keeps.js';
import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { rowState, type StateSpec } from '../state.js';
import { readCausally } from './queryBlocks.js';
import type { Scoring } from './readRows.js';
import { type Rope, rotate } from './rope.js';
import type { Sight } from './sees.js';

/** How a layer turns q and k into a pattern: what a person needs to redo a cell by hand. */
export interface AttentionSpec extends Sight, Scoring {
  readonly kvHeads: number;
  readonly headDim: number;
  readonly rope: Rope | null;
  /** Rows of the pattern sum to less than 1: a learned score a head takes the rest (attention sinks). */
  readonly sinks?: boolean;
  /** Size of a value, when it is not that of a key. */
  readonly valueDim?: number;
  /** All heads read one latent: what is multiplied are the probes `attn.latent_q` and `attn.latent_k`, of this size, and not q and k. */
  readonly latent?: number;
  /** Which keys a query sees depends on what they hold: only the pattern tells. */
  readonly selects?: boolean;
  /** Of a layer that reads in several ways: which of them this is, and where the others are, as views say it. */
  readonly part?: string;
}

/** [B,T,n·E] → [B,n,T,E]. */
export const splitHeads = (g: SegmentBuilder, x: Value, heads: number): Value =>
  g.transpose(g.reshape(x, 0, 0, heads, (x.shape.at(-1) as number) / heads), 0, 2, 1, 3);

/** Old rows that queries to come can see. */
export const keptBy = ({ window, chunk }: Pick<Sight, 'window' | 'chunk'>): Keeps =>
  chunk !== undefined ? { chunk } : window === null ? null : window - 1;

/** Keys after RoPE, and values. */
export const attentionState = (spec: AttentionSpec): [StateSpec, StateSpec] => [
  rowState('k', spec.kvHeads, spec.headDim, keptBy(spec)),
  rowState('v', spec.kvHeads, spec.valueDim ?? spec.headDim, keptBy(spec)),
];

/** What a softmax attention is given: q [B,H,T,E], k and v [B,K,T,E] before RoPE, sinks [H]. */
export interface Heads {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly sinks?: Value;
  /** What still happens to queries and keys behind RoPE. */
  readonly turned?: { readonly q: (x: Value) => Value; readonly k: (x: Value) => Value };
}

/** Softmax attention of H query heads over K key heads (grouped queries: head h reads kv head ⌊h·K/H⌋); returns z [B,T,H·E]. */
export function attend(g: SegmentBuilder, spec: AttentionSpec, qkv: Heads): Value {
  const turn = (x: Value, name: 'q' | 'k') => {
    const y = spec.rope ? rotate(g, x, spec.rope) : x;
    return qkv.turned ? qkv.turned[name](y) : y;
  };
  const v = g.probe('attn.v', qkv.v);
  const q = g.probe('attn.rot_q', turn(g.probe('attn.q', qkv.q), 'q'));
  const k = g.probe('attn.rot_k', turn(g.probe('attn.k', qkv.k), 'k'));
  const [keys, values] = attentionState(spec);
  const [kPast, vPast] = [g.kvPast(keys), g.kvPast(values)]; // [B,K,C,E]
  publish(g, 'k', k);
  publish(g, 'v', v);
  const { sinks } = qkv;
  if (sinks) g.observe('attn.sinks', () => g.unsqueeze(sinks, 0));
  const terms = [{ q, keys: { past: kPast, fresh: k } }];
  return joinHeads(g, readCausally(g, spec, keys, { terms, rows: { past: vPast, fresh: v }, sinks }));
}

/** z [B,T,H,E] as the probe `attn.z` → [B,T,H·E]. */
export function joinHeads(g: SegmentBuilder, z: Value): Value {
  return g.reshape(g.probe('attn.z', z), 0, 0, (z.shape[2] as number) * (z.shape[3] as number));
}

/** New rows of a kv state, which the probe `state.NAME` shows. */
export function publish(g: SegmentBuilder, name: string, rows: Value): void {
  g.stateNew(name, rows);
  g.observe(`state.${name}`, () => g.op('Identity', [rows], rows.shape));
}
