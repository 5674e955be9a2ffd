import type { Builder } from '../builder.js';
import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { latentState, type StateSpec } from '../state.js';
import { type AttentionSpec, joinHeads, publish } from './attention.js';
import { readCausally } from './queryBlocks.js';
import { type Rope, rotate } from './rope.js';

/** E = E_nope + E_rope is the size of a head's q and k; the rest of what a latent attention is made of. */
export interface LatentSpec extends AttentionSpec {
  /** R: size of the latent. */
  readonly rank: number;
  /** Dimensions of q and k that do not turn, the first ones. */
  readonly nopeDim: number;
  readonly valueDim: number;
  /** Turns the other dimensions of q and k. */
  readonly rope: Rope;
}

export const latentStates = (spec: LatentSpec): StateSpec[] => latentState(spec.rank, spec.rope.dims);

/**
 * Multi-head latent attention: DeepSeek-AI 2024 (arXiv 2405.04434), §2.1. Keys and values of all heads are linear in one latent c_kv, so that
 * only it is kept, with the one rotary key k_pe that all heads share. W_UK goes over to the queries and W_UV behind the pattern: the latent
 * is read as it is in the cache, and no key or value of a head is ever made.
 * q [B,H,T,E], c_kv [B,T,R] and k_pe [B,T,E_rope] before RoPE, `up` [H·(E_nope+E_v), R]; returns [B,T,H·E_v].
 */
export function latentAttention(g: SegmentBuilder, spec: LatentSpec, x: { q: Value; cKv: Value; kPe: Value; up: Value }): Value {
  const { heads: H, rank: R, nopeDim, valueDim, rope } = spec;
  const [upK, upV] = g.split(g.reshape(x.up, H, nopeDim + valueDim, R), 1, [nopeDim, valueDim]) as [Value, Value]; // [H,·,R]
  const sizes = [nopeDim, rope.dims];
  const [still, toTurn] = g.split(g.probe('attn.q', x.q), -1, sizes) as [Value, Value];
  const q = g.probe('attn.rot_q', g.concat([still, rotate(g, toTurn, rope)], -1)); // [B,H,T,E]
  const [qNope, qPe] = g.split(q, -1, sizes) as [Value, Value];
  const cKv = g.probe('attn.c_kv', x.cKv); // [B,T,R]
  const kPe = g.probe('attn.k_pe', g.squeeze(rotate(g, g.unsqueeze(x.kPe, 1), rope), 1)); // [B,T,E_rope]
  publish(g, 'c_kv', cKv);
  publish(g, 'k_pe', kPe);
  const rows = [cKv, kPe].map((fresh, i) => ({
    past: g.unsqueeze(g.kvPast(latentStates(spec)[i] as StateSpec), 1),
    fresh: g.unsqueeze(fresh, 1),
  })); // [B,1,·,R], [B,1,·,E_rope]
  const [latents, turned] = rows as [(typeof rows)[0], (typeof rows)[0]];
  expanded(g, spec, latents.fresh, { upK, upV, kPe: x.kPe, turned: kPe });
  const qLatent = g.matmul(qNope, upK); // [B,H,T,R]
  const terms = [
    { q: qLatent, keys: latents }, // q W_UK · c_kv
    { q: qPe, keys: turned },
  ];
  g.observe('attn.latent_q', () => g.concat([qLatent, qPe], -1)); // [B,H,T,R+E_rope]
  g.observe('attn.latent_k', () => g.concat([latents.fresh, turned.fresh], -1)); // [B,1,T,R+E_rope]
  const [state] = latentStates(spec) as [StateSpec];
  const values = (b: Builder, z: Value) => b.matmul(z, upV, { transB: true }); // [B,H,T,R] · [H,E_v,R]ᵀ
  return joinHeads(g, readCausally(g, spec, state, { terms, rows: latents }, values));
}

/** What each head's keys and values would be: to look at, nothing passes through them. */
function expanded(
  g: SegmentBuilder,
  { heads: H }: LatentSpec,
  latent: Value,
  { upK, upV, kPe, turned }: { upK: Value; upV: Value; kPe: Value; turned: Value },
): void {
  const shared = (x: Value) => {
    const size = x.shape.at(-1) as number;
    return g.op('Expand', [g.unsqueeze(x, 1), g.ints(1, H, 1, size)], ['B', H, 'T', size]);
  };
  const key = (pe: Value) => g.concat([g.matmul(latent, upK, { transB: true }), shared(pe)], -1); // [B,H,T,E]
  g.observe('attn.k', () => key(kPe));
  g.observe('attn.rot_k', () => key(turned));
  g.observe('attn.v', () => g.matmul(latent, upV, { transB: true })); // [B,H,T,E_v]
}
