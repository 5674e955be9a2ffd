import { type CoreConfig, defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attend, attentionState, splitHeads } from '../graph/blocks/attention.js';
import { cema, cemaState } from '../graph/blocks/cema.js';
import { activation, gatedMlp } from '../graph/blocks/mlp.js';
import { layerNorm, plainRmsNorm, rmsNorm } from '../graph/blocks/norm.js';
import { rope } from '../graph/blocks/rope.js';
import { timestepNorm, timestepNormState } from '../graph/blocks/timestepNorm.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { MLP } from './llama.js';
import { preNormConfig, preNormParts } from './preNorm.js';

interface MegalodonConfig extends CoreConfig {
  readonly eps: number;
  readonly dFf: number;
  /** N. */
  readonly averages: number;
  /** Z: width of all heads' queries, and of their keys. */
  readonly z: number;
  readonly groups: number;
  readonly attention: AttentionSpec;
}

const FFN_EPS = 1e-5;

/** Normalised attention within a chunk: queries and keys are one representation of length √E a head, scaled and shifted apart. */
function chunkedAttention(g: SegmentBuilder, c: MegalodonConfig, xn: Value, m: Value): Value {
  const { heads: H, valueDim = 0 } = c.attention;
  const shared = g.reshape(g.linear(m, 'wz', c.z), 0, 0, H, c.z / H);
  const z = g.reshape(plainRmsNorm(g, shared, c.eps), 0, 0, c.z); // [B,T,Z]
  const [gains, shifts] = ['gamma', 'beta'].map((name) => g.split(g.weight(name, [2, c.z]), 0, [1, 1])) as [Value[], Value[]];
  const [q, k] = [0, 1].map((i) => splitHeads(g, g.add(g.mul(z, gains[i] as Value), shifts[i] as Value), H)) as [Value, Value];
  const v = splitHeads(g, g.silu(g.linear(xn, 'wv', H * valueDim)), H); // [B,H,T,V/H]
  const read = attend(g, c.attention, { q, k, v }); // [B,T,V]
  const gated = g.mul(read, g.probe('attn.gate', g.silu(g.linear(m, 'wr', H * valueDim))));
  return g.probe('attn.out', g.linear(gated, 'wh2', c.dModel)); // [B,T,D]
}

/**
 * Megalodon: Ma et al. 2024 (arXiv 2404.08801); official code XuezheMax/megalodon. A complex moving average feeds attention that sees one chunk, so
 * that memory stays constant. xn normed input, m the average's output, z what queries and keys share, r gate of the attention.
 * Differs from Llama: both halves add to the block's input, not the second to the first (two-hop residual).
 */
export const megalodon = defineArchitecture<MegalodonConfig>({
  id: 'megalodon',
  names: ['megalodon', 'MegalodonForCausalLM', 'MegalodonModel'],
  ...preNormParts,
  config: (raw) => {
    const base = preNormConfig(raw);
    const heads = raw.size(['num_heads', 'num_attention_heads']);
    const [z, values] = [raw.size('z_dim'), raw.size('value_dim')];
    const headDim = raw.divides('num_heads', heads, z);
    const groups = raw.size(['num_groups', 'norm_num_groups'], 1);
    raw.divides('num_groups', groups, base.dModel);
    return {
      ...base,
      averages: raw.size('cema_ndim'),
      z,
      groups,
      attention: {
        heads,
        kvHeads: heads,
        headDim,
        valueDim: raw.divides('num_heads', heads, values),
        scale: 1,
        softcap: null,
        window: null,
        chunk: raw.size('chunk_size'),
        rope: rope(headDim, raw.rope()),
      },
    };
  },
  layer: ({ attention }) => ({ mixer: 'cema', attention, heads: attention.heads, headDim: attention.headDim }),
  state: (c) => [...attentionState(c.attention), ...timestepNormState(c.groups), cemaState(c.dModel, c.averages)],
  block: (g, c, x) => {
    const xn = g.probe('ln1', timestepNorm(g, x, 'tsn', c.groups));
    const average = g.within('', 'cema.', () => cema(g, xn, c.averages));
    const m = g.probe('mixer.out', rmsNorm(g, average, 'rms', c.eps)); // [B,T,D]
    const mixed = g.add(g.linear(m, 'wh1', c.dModel), chunkedAttention(g, c, xn, m));
    const mid = g.probe('resid_mid', g.add(x, mixed));
    const ln2 = g.probe('ln2', layerNorm(g, mid, 'ffn_norm', FFN_EPS));
    const out = g.within('', 'ffn.', () => gatedMlp(g, ln2, c.dFf, activation('silu'), MLP));
    return g.add(x, out); // [B,T,D]
  },
});
