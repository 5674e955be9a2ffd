import type { CoreConfig } from '../graph/architecture.js';
import { defineArchitecture } from '../graph/architecture.js';
import { layerNorm } from '../graph/blocks/norm.js';
import { gatedChannelMix, tokenShift } from '../graph/blocks/rwkv.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder, TensorTable } from '../graph/segmentBuilder.js';
import { matrixState, shiftState } from '../graph/state.js';

/** What RWKV-4, 5 and 6 share. */
export interface RwkvConfig extends CoreConfig {
  /** Channels of the time mix: usually D. */
  readonly A: number;
  readonly dFf: number;
  readonly eps: number;
  /** transformers halves the residual stream behind every so many blocks, and what they write with it, to stay within fp16; 0: never. */
  readonly rescaleEvery: number;
}

const EMBEDDING = ['embeddings.weight', 'emb.weight'];

/** The part names of Hugging Face's files, and of the original ones. */
const parts = (g: SegmentBuilder) =>
  g.has('att.key.weight')
    ? ({ time: 'att', channel: 'ffn', ln0: 'ln0' } as const)
    : ({ time: 'attention', channel: 'feed_forward', ln0: 'pre_ln' } as const);

/** Blending weights are named by a letter in the original files, by a word in Hugging Face's. */
const words = { k: 'key', v: 'value', r: 'receptance', g: 'gate', w: 'decay', x: 'x' } as const;
export const blendNames = (kind: 'time_mix' | 'time_maa', name: keyof typeof words): string[] =>
  [words[name], name].map((suffix) => `${kind}_${suffix}`);

/** Shape of a tensor of block i, in either spelling of its name. */
export function shapeIn(tensors: TensorTable, i: number, part: 'att' | 'ffn', name: string): readonly number[] | null {
  const long = { att: 'attention', ffn: 'feed_forward' }[part];
  return tensors.shape(`blocks.${i}.${part}.${name}`) ?? tensors.shape(`rwkv.blocks.${i}.${long}.${name}`);
}

/** Original files have no config: the tensors say everything. */
export function rwkvConfig(raw: ConfigReader, tensors: TensorTable): RwkvConfig {
  const [vocab, dModel] = tensors.shape('emb.weight') ?? tensors.shape('rwkv.embeddings.weight') ?? [];
  let blocks = 0;
  while (shapeIn(tensors, blocks, 'att', 'key.weight')) blocks++;
  const [A] = shapeIn(tensors, 0, 'att', 'key.weight') ?? [];
  const D = raw.size('hidden_size', dModel);
  return {
    dModel: D,
    layers: blocks > 0 && raw.value('num_hidden_layers') === null ? blocks : raw.layers('num_hidden_layers'),
    vocab: raw.size('vocab_size', vocab),
    context: null,
    A: raw.size('attention_hidden_size', A ?? D),
    dFf: raw.size('intermediate_size', shapeIn(tensors, 0, 'ffn', 'key.weight')?.[0] ?? 4 * D),
    eps: raw.number('layer_norm_epsilon', 1e-5),
    rescaleEvery: Math.max(0, raw.number('rescale_every', raw.raw.model_type === 'rwkv' ? 6 : 0)),
  };
}

/** x ⊙ μ + shifted ⊙ (1 − μ), for the map called `name`. */
function blend(g: SegmentBuilder, x: Value, state: string): (name: 'k' | 'v' | 'r' | 'g') => Value {
  const delta = g.sub(x, tokenShift(g, x, state));
  return (name) =>
    g.sub(x, g.mul(delta, g.sub(g.constant(1), g.weight(blendNames('time_mix', name), [x.shape.at(-1) as number]))));
}

/** A block of two halves, each given its normed input and a way to blend it with the token before. */
export const rwkvParts = {
  prefixes: ['rwkv.', ''],
  anchor: EMBEDDING,
  blockPrefix: (i: number) => `blocks.${i}.`,
  embed: (g: SegmentBuilder, c: RwkvConfig): Value => g.gather(g.weight(EMBEDDING, [c.vocab, c.dModel]), g.tokens), // [B,T,D]
  block: (
    g: SegmentBuilder,
    c: RwkvConfig,
    x: Value,
    i: number,
    timeMix: (ln1: Value) => Value,
    channelBlend: (g: SegmentBuilder, ln2: Value) => (name: 'k' | 'r') => Value = (g, ln2) => blend(g, ln2, 'ffn_shift'),
  ): Value => {
    const { time, channel, ln0 } = parts(g);
    const scale = c.rescaleEvery > 0 ? 2 ** -Math.floor(i / c.rescaleEvery) : 1;
    const shrunk = (y: Value) => (scale === 1 ? y : g.mul(y, scale));
    const input = i === 0 && g.has(`${ln0}.weight`) ? layerNorm(g, x, ln0, c.eps) : x;
    const ln1 = g.probe('ln1', layerNorm(g, input, 'ln1', c.eps));
    const mixed = g.within('', `${time}.`, () => shrunk(g.linear(timeMix(ln1), 'output', c.dModel)));
    const mid = g.probe('resid_mid', g.add(input, g.probe('time_mix.out', mixed)));
    const ln2 = g.probe('ln2', layerNorm(g, mid, 'ln2', c.eps));
    const wide = g.within('', `${channel}.`, () => shrunk(gatedChannelMix(g, c.dFf, channelBlend(g, ln2))));
    const out = g.add(mid, g.probe('channel_mix.out', wide)); // [B,T,D]
    return c.rescaleEvery > 0 && (i + 1) % c.rescaleEvery === 0 ? g.mul(out, 0.5) : out;
  },
  head: (g: SegmentBuilder, c: RwkvConfig, x: Value): Value => {
    const normed = g.probe('ln_final', layerNorm(g, x, 'ln_out', 1e-5));
    const own = g.topWeight(['head.weight', 'lm_head.weight'], [c.vocab, c.dModel]);
    return g.matmul(normed, own ?? g.weight(EMBEDDING, [c.vocab, c.dModel]), { transB: true }); // [B,T,V]
  },
};

/** r, k, v (and g) of a time mix from inputs that are blended with the token before. */
export const projected = (g: SegmentBuilder, c: RwkvConfig, ln1: Value) => {
  const mixed = blend(g, ln1, 'att_shift');
  return (name: 'k' | 'v' | 'r' | 'g') => g.linear(mixed(name), words[name], c.A); // [B,T,A]
};

/** Eq. 16: y_t = Σ e^{−(t−1−i)e^w + k_i} v_i over the past and e^{u + k_t} v_t, divided by the same sum without v; every exponent minus a running maximum. */
function wkv(g: SegmentBuilder, c: RwkvConfig, k: Value, v: Value): Value {
  const decay = g.neg(g.exp(g.weight('time_decay', [c.A]))); // [A]
  const first = g.weight('time_first', [c.A]);
  const names = ['num', 'den', 'max'] as const;
  const [num, den, max] = names.map((name) => g.statePast(matrixState(name, [c.A]))) as [Value, Value, Value]; // [B,A]
  const atStart = g.equal(g.past, g.constant(new BigInt64Array(1), [1]));
  const initial = g.where(atStart, g.constant(-1e30), max); // a state begins as zeros, but the largest of nothing is −∞
  const inspected = ['state.num', 'state.den', 'state.max', 'time_mix.decay', 'time_mix.gain'].some((name) => g.wants(name));
  const { last, outputs } = g.scanStates([num, den, initial], [k, v], (b, [n, d, m], [kt, vt]) => {
    const [numPast, denPast, maxPast, key, value] = [n, d, m, kt, vt] as [Value, Value, Value, Value, Value]; // [B,A]
    const weigh = (old: Value, fresh: Value) => {
      const top = b.max(old, fresh);
      return { top, keep: b.exp(b.sub(old, top)), gain: b.exp(b.sub(fresh, top)) };
    };
    const now = weigh(maxPast, b.add(key, first));
    const above = b.add(b.mul(now.keep, numPast), b.mul(now.gain, value));
    const y = b.div(above, b.add(b.mul(now.keep, denPast), now.gain));
    const { top, keep, gain } = weigh(b.add(maxPast, decay), key);
    const states = [b.add(b.mul(keep, numPast), b.mul(gain, value)), b.add(b.mul(keep, denPast), gain), top];
    return { states, outputs: inspected ? [y, ...states, keep, gain] : [y] };
  });
  for (const [i, name] of names.entries()) {
    g.stateNew(name, last[i] as Value);
    g.stateEvery(name, () => outputs[1 + i] as Value); // [B,T,A]
  }
  g.observe('time_mix.decay', () => outputs[4] as Value);
  g.observe('time_mix.gain', () => outputs[5] as Value);
  return g.probe('time_mix.y', outputs[0] as Value);
}

/**
 * RWKV-4: Peng et al. 2023 (arXiv 2305.13048), eq. 11–19; official code BlinkDL/RWKV-LM RWKV-v4neo. r receptance, w decay, u = time_first.
 * Differs: ln0 belongs to block 0, so that resid_pre of block 0 is the embedding itself, as in Hugging Face's port.
 */
export const rwkv4 = defineArchitecture<RwkvConfig>({
  id: 'rwkv4',
  names: ['rwkv', 'rwkv4', 'RwkvForCausalLM', 'RwkvModel'],
  ...rwkvParts,
  config: rwkvConfig,
  layer: (c) => ({ mixer: 'rwkv4', attention: null, heads: 1, headDim: c.A }),
  state: (c) => [
    ...['num', 'den', 'max'].map((name) => matrixState(name, [c.A])),
    shiftState('att_shift', c.dModel),
    shiftState('ffn_shift', c.dModel),
  ],
  block: (g, c, x, i) =>
    rwkvParts.block(g, c, x, i, (ln1) => {
      const of = projected(g, c, ln1);
      const r = g.probe('time_mix.r', g.sigmoid(of('r')));
      return g.mul(r, wkv(g, c, g.probe('time_mix.k', of('k')), g.probe('time_mix.v', of('v'))));
    }),
});
