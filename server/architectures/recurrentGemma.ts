import { defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attend, attentionState, splitHeads } from '../graph/blocks/attention.js';
import { causalConv } from '../graph/blocks/conv.js';
import { activation, gatedMlp } from '../graph/blocks/mlp.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { convState, matrixState } from '../graph/state.js';
import { gemmaDefaults } from './gemma3.js';
import { embed, type LlamaConfig, llamaConfig, llamaParts, MLP, unembed } from './llama.js';

interface RecurrentGemmaConfig extends LlamaConfig {
  /** Channels of the recurrence, in H blocks whose gates do not mix. */
  readonly W: number;
  readonly H: number;
  readonly dConv: number;
  readonly attends: (i: number) => boolean;
  readonly finalSoftcap: number;
}

/** How fast a channel can forget at most: a = e^{−8 · softplus(Λ)} at a gate of 1. */
const RATE = 8;

/** The upper half of a float32, ties to even. */
function bfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] as number;
  const upper = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(Uint32Array.of(upper).buffer)[0] as number;
}

/**
 * σ(x W + b) within each block of channels: [B,T,W]. Spelled out, because ONNX Runtime's Sigmoid is exact to 10⁻⁷ only in absolute terms, and
 * what a nearly closed gate lets through counts relative to itself in √(1 − a²).
 */
function gate(g: SegmentBuilder, { W, H }: RecurrentGemmaConfig, x: Value, name: string): Value {
  const size = W / H;
  const blocks = g.transpose(g.reshape(x, 0, 0, H, size), 0, 2, 1, 3); // [B,H,T,W/H]
  const mapped = g.matmul(blocks, g.weight(`${name}_weight`, [H, size, size]));
  const biased = g.add(g.reshape(g.transpose(mapped, 0, 2, 1, 3), 0, 0, W), g.reshape(g.weight(`${name}_bias`, [H, size]), W));
  return g.div(g.constant(1), g.add(g.exp(g.neg(biased)), 1));
}

/** Eq. 1–4: h_t = a_t ⊙ h_{t−1} + √(1 − a_t²) ⊙ (i_t ⊙ x_t). At the first token of a text nothing is kept and nothing is damped. */
function rgLru(g: SegmentBuilder, c: RecurrentGemmaConfig, x: Value): Value {
  const first = g.memo('first', () =>
    g.unsqueeze(g.cast(g.equal(g.positions(x), g.constant(new BigInt64Array(1), [1])), 'f32'), 1),
  ); // [T,1]
  const r = g.probe('mixer.r', gate(g, c, x, 'recurrent_gate'));
  const i = g.probe('mixer.i', gate(g, c, x, 'input_gate'));
  const logA = g.mul(g.mul(r, g.softplus(g.weight('recurrent_param', [c.W]))), -RATE);
  const later = g.sub(g.constant(1), first);
  const a = g.probe('mixer.decay', g.mul(g.exp(logA), later)); // [B,T,W]
  const t = g.tanh(g.neg(logA));
  const gain = g.div(g.mul(t, 2), g.add(t, 1)); // 1 − a², without the cancellation where a is close to 1
  const damped = g.add(g.mul(gain, later), first);
  const write = g.probe('mixer.write', g.mul(g.mul(i, x), g.op('Sqrt', [damped], damped.shape)));
  const { last, outputs } = g.scan(g.statePast(matrixState('rglru', [c.W])), [a, write], (b, h, [at, wt]) => {
    const next = b.add(b.mul(at as Value, h), wt as Value); // [B,W]
    return { state: next, outputs: [next] };
  });
  g.stateNew('rglru', last);
  g.stateEvery('rglru', () => g.op('Identity', [outputs[0] as Value], x.shape));
  return g.probe('mixer.y', outputs[0] as Value); // [B,T,W]
}

function recurrent(g: SegmentBuilder, c: RecurrentGemmaConfig, x: Value): Value {
  const branch = g.probe('mixer.gate', activation(c.act)(g, g.linear(x, 'linear_y', c.W))); // [B,T,W]
  const state = convState(c.W, c.dConv - 1);
  const u = g.probe('mixer.conv', causalConv(g, g.linear(x, 'linear_x', c.W), state, 'conv_1d', c.dConv));
  const y = g.within('', 'rg_lru.', () => rgLru(g, c, u));
  return g.probe('mixer.out', g.linear(g.mul(y, branch), 'linear_out', c.dModel)); // [B,T,D]
}

function attention(g: SegmentBuilder, spec: AttentionSpec, x: Value): Value {
  const heads = (name: string, n: number) => splitHeads(g, g.linear(x, name, n * spec.headDim), n);
  const qkv = { q: heads('q_proj', spec.heads), k: heads('k_proj', spec.kvHeads), v: heads('v_proj', spec.kvHeads) };
  return g.probe('attn.out', g.linear(attend(g, spec, qkv), 'o_proj', x.shape.at(-1) as number)); // [B,T,D]
}

/**
 * RecurrentGemma: Botev et al. 2024 (arXiv 2404.07839), which is Griffin: De et al. 2024 (2402.19427); official code
 * google-deepmind/recurrentgemma. Two recurrent layers to one of local attention. r recurrence gate, i input gate, a decay, Λ = recurrent_param.
 */
export const recurrentGemma = defineArchitecture<RecurrentGemmaConfig>({
  id: 'recurrent_gemma',
  names: ['recurrent_gemma', 'RecurrentGemmaForCausalLM', 'RecurrentGemmaModel'],
  ...llamaParts,
  config: (raw, tensors) => {
    const window = raw.size(['attention_window_size', 'sliding_window'], 2048);
    const base = llamaConfig(raw, tensors, () => window, { style: 'half', fraction: 0.5 });
    const kinds = raw.words('block_types') ?? ['recurrent', 'recurrent', 'attention'];
    const H = raw.size('num_attention_heads');
    const W = raw.size('lru_width', base.dModel);
    raw.divides('num_attention_heads', H, W);
    return {
      ...base,
      ...gemmaDefaults(raw),
      dFf: raw.size('intermediate_size') / 2,
      W,
      H,
      dConv: raw.size('conv1d_width', 4),
      attends: (i) => kinds[i % kinds.length] === 'attention',
      finalSoftcap: raw.number('logits_soft_cap', 30),
    };
  },
  layer: (c, i) => (c.attends(i) ? llamaParts.layer(c, i) : { mixer: 'rglru', attention: null, heads: c.H, headDim: c.W / c.H }),
  state: (c, i) =>
    c.attends(i) ? attentionState(c.attention[i] as AttentionSpec) : [convState(c.W, c.dConv - 1), matrixState('rglru', [c.W])],
  // Differs from Gemma: √D is rounded to bfloat16, as the reference has it
  embed: (g, c) => g.mul(embed(g, c), bfloat16(Math.sqrt(c.dModel))),
  block: (g, c, x, i) => {
    const ln1 = g.probe('ln1', rmsNorm(g, x, 'temporal_pre_norm', c.eps, 1));
    const mix = () => (c.attends(i) ? attention(g, c.attention[i] as AttentionSpec, ln1) : recurrent(g, c, ln1));
    const mid = g.probe('resid_mid', g.add(x, g.within('', 'temporal_block.', mix)));
    const ln2 = g.probe('ln2', rmsNorm(g, mid, 'channel_pre_norm', c.eps, 1));
    return g.add(
      mid,
      g.within('', 'mlp_block.', () => gatedMlp(g, ln2, c.dFf, activation(c.act), MLP)),
    ); // [B,T,D]
  },
  head: (g, c, x) => {
    const logits = unembed(g, c, g.probe('ln_final', rmsNorm(g, x, 'final_norm', c.eps, 1)));
    return g.mul(g.tanh(g.div(logits, c.finalSoftcap)), c.finalSoftcap);
  },
});
