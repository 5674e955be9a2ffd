import type { Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { attendAll } from './attendAll.js';
import { type AttentionSpec, splitHeads } from './attention.js';
import type { Activation } from './mlp.js';
import { layerNorm } from './norm.js';

/** Where a pre-norm encoder block keeps its weights. */
export interface EncoderNames {
  readonly ln1: string;
  readonly q: string;
  readonly k: string;
  readonly v: string;
  readonly out: string;
  readonly ln2: string;
  readonly up: string;
  readonly down: string;
}

/** Attention among all tokens with its projections, probed as `attn.out`: x [B,T,D] → [B,T,D]. */
export function encoderAttention(
  g: SegmentBuilder,
  spec: AttentionSpec,
  x: Value,
  names: Pick<EncoderNames, 'q' | 'k' | 'v' | 'out'>,
  hidden: Value | null = null,
): Value {
  const size = spec.heads * spec.headDim;
  const project = (name: string) => splitHeads(g, g.linear(x, name, size), spec.heads); // [B,H,T,E]
  const qkv = { q: project(names.q), k: project(names.k), v: project(names.v) };
  return g.probe('attn.out', g.linear(attendAll(g, spec, qkv, hidden), names.out, x.shape.at(-1) as number));
}

/** down(act(up x)), probed: [B,T,D] → [B,T,D]. */
export function plainMlp(
  g: SegmentBuilder,
  x: Value,
  size: number,
  act: Activation,
  names: Pick<EncoderNames, 'up' | 'down'>,
): Value {
  const pre = g.probe('mlp.pre', g.linear(x, names.up, size)); // [B,T,F]
  return g.probe('mlp.out', g.linear(g.probe('mlp.post', act(g, pre)), names.down, x.shape.at(-1) as number));
}

export interface PreNormSpec {
  readonly attention: AttentionSpec;
  readonly dFf: number;
  readonly act: Activation;
  readonly eps: number;
}

/** x + attention(norm x), then x + mlp(norm x): Vaswani et al. 2017 with the norms in front (Xiong et al. 2020). [B,T,D] → [B,T,D]. */
export function preNormBlock(
  g: SegmentBuilder,
  spec: PreNormSpec,
  x: Value,
  names: EncoderNames,
  hidden: Value | null = null,
): Value {
  const ln1 = g.probe('ln1', layerNorm(g, x, names.ln1, spec.eps));
  const mid = g.probe('resid_mid', g.add(x, encoderAttention(g, spec.attention, ln1, names, hidden)));
  const ln2 = g.probe('ln2', layerNorm(g, mid, names.ln2, spec.eps));
  return g.add(mid, plainMlp(g, ln2, spec.dFf, spec.act, names));
}

/** What a layer of an encoder is: attention among `heads` heads of E = D/heads dimensions. */
export const encoderSpec = (heads: number, headDim: number, causal = false): AttentionSpec => ({
  heads,
  kvHeads: heads,
  headDim,
  scale: headDim ** -0.5,
  softcap: null,
  window: null,
  rope: null,
  causal,
});
