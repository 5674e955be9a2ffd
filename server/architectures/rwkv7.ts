import type { CoreConfig } from '../graph/architecture.js';
import { defineArchitecture } from '../graph/architecture.js';
import { layerNorm } from '../graph/blocks/norm.js';
import { groupNorm, tokenShift } from '../graph/blocks/rwkv.js';
import { WKV7_CHUNK, type Wkv7, wkv7Chunks, wkv7Steps } from '../graph/blocks/wkv7.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { matrixState, shiftState } from '../graph/state.js';

interface Rwkv7Config extends CoreConfig {
  readonly H: number;
  readonly E: number;
  /** Channels of the time mix, H·E: usually D. */
  readonly A: number;
  readonly dFf: number;
  readonly eps: number;
  readonly groupEps: number;
  /** Rank of the low-rank maps for decay w, learning rate a, value mix v and gate g. */
  readonly rank: Readonly<Record<'w' | 'a' | 'v' | 'g', number>>;
}

/** base + f(x A) B: RWKV's "LoRA", with weights lora.0 [R,D], lora.2 [size,R] and its bias. */
function lowRank(g: SegmentBuilder, x: Value, name: string, [rank, size]: [number, number], f = (v: Value): Value => v): Value {
  return g.linear(f(g.linear(x, `${name}.lora.0`, rank)), `${name}.lora.2`, size);
}

/** Many tokens go by chunks, unless somebody looks at the state after each one or changes what the chunks rely on. */
function deltaRule(g: SegmentBuilder, c: Rwkv7Config, x: Wkv7, w: Value): Value {
  const past = g.statePast(matrixState('wkv', [c.H, c.E, c.E]));
  const every = g.wants('state.wkv');
  const [y, last, states] =
    every || g.touched('time_mix.w')
      ? wkv7Steps(g, past, x, w, every)
      : g.choose(
          g.less(g.size(x.r, 1), g.constant(BigInt64Array.of(BigInt(WKV7_CHUNK)))),
          (b) => wkv7Steps(b, past, x, b.exp(x.logW), false),
          (b) => wkv7Chunks(b, past, x),
        );
  g.stateNew('wkv', last as Value);
  g.stateEvery('wkv', () => states as Value); // [B,T,H,E,E]
  return g.probe('time_mix.y', y as Value); // [B,T,H,E]
}

function timeMix(g: SegmentBuilder, c: Rwkv7Config, x: Value, first: boolean): Value {
  const { H, E, A, dModel: D } = c;
  const delta = g.sub(tokenShift(g, x, 'att_shift'), x);
  const mix = (name: string) => g.add(x, g.mul(delta, g.weight(`x_${name}`, [D])));
  const heads = (u: Value) => g.reshape(u, 0, 0, H, E); // [B,T,H,E]
  const vector = (name: string) => g.reshape(g.weight(name, [A]), H, E);
  const xv = mix('v');

  const r = g.probe('time_mix.r', heads(g.linear(mix('r'), 'r_proj', A)));
  const z = lowRank(g, mix('w'), 'w_lora', [c.rank.w, A], (u) => g.tanh(u));
  const logW = heads(g.mul(g.sigmoid(z), -Math.exp(-0.5)));
  const w = g.probe('time_mix.w', g.exp(logW)); // decay, e^{−e^{−½} σ(z)}
  const k0 = heads(g.linear(mix('k'), 'k_proj', A));
  const v0 = g.linear(xv, 'v_proj', A);
  const gate = g.probe(
    'time_mix.g',
    lowRank(g, mix('g'), 'g_lora', [c.rank.g, A], (u) => g.sigmoid(u)),
  );
  const v = g.probe('time_mix.v', heads(first ? v0 : mixValue(g, c, xv, v0)));
  if (first) g.setCarry('v_first', g.reshape(v, 0, 0, A)); // goes beside the residual stream to all later layers
  const a = g.probe('time_mix.a', heads(g.sigmoid(lowRank(g, mix('a'), 'a_lora', [c.rank.a, A]))));
  const kappa = g.probe('time_mix.kappa', normalise(g, g.mul(k0, vector('k_k'))));
  const k = g.probe('time_mix.k', g.mul(k0, g.add(g.mul(g.sub(a, 1), vector('k_a')), 1)));

  const y = deltaRule(g, c, { r, logW, k, v, kappa, taken: g.mul(a, kappa) }, w);
  const bonus = g.mul(g.reduceSum(g.mul(g.mul(r, k), g.weight('r_k', [H, E])), -1), v); // [B,T,H,E]
  const out = g.add(groupNorm(g, y, 'g_norm', c.groupEps), g.reshape(bonus, 0, 0, A)); // [B,T,A]
  return g.probe('time_mix.out', g.linear(g.mul(out, gate), 'o_proj', D));
}

function mixValue(g: SegmentBuilder, c: Rwkv7Config, x: Value, v: Value): Value {
  const share = g.sigmoid(lowRank(g, x, 'v_lora', [c.rank.v, c.A]));
  return g.add(v, g.mul(g.sub(g.carry('v_first', ['B', 'T', c.A]), v), share));
}

/** x / max(‖x‖, 1e−12) over the last axis. */
function normalise(g: SegmentBuilder, x: Value): Value {
  const norm = g.op('Sqrt', [g.reduceSum(g.mul(x, x), -1)], [...x.shape.slice(0, -1), 1]);
  return g.div(x, g.op('Max', [norm, g.constant(1e-12)], norm.shape));
}

function channelMix(g: SegmentBuilder, c: Rwkv7Config, x: Value): Value {
  const mixed = g.add(x, g.mul(g.sub(tokenShift(g, x, 'ffn_shift'), x), g.weight('x_k', [c.dModel])));
  const pre = g.relu(g.linear(mixed, 'key', c.dFf));
  const k = g.probe('channel_mix.k', g.mul(pre, pre)); // [B,T,F]
  return g.probe('channel_mix.out', g.linear(k, 'value', c.dModel));
}

/**
 * RWKV-7 "Goose": Peng et al. 2025 (arXiv 2503.14456), eq. 3–20; official code BlinkDL/RWKV-LM rwkv_v7_demo.py.
 * r receptance, w decay, a in-context learning rate, κ̂ removal key, v_first value of layer 0.
 * Differs: ln0 belongs to block 0, so that resid_pre of block 0 is the embedding itself, as in Hugging Face's port.
 */
export const rwkv7 = defineArchitecture<Rwkv7Config>({
  id: 'rwkv7',
  names: ['rwkv7', 'RWKV7ForCausalLM', 'RWKV7Model'],
  prefixes: ['model.', ''],
  anchor: 'embeddings.weight',
  blockPrefix: (i) => `layers.${i}.`,
  config: (raw, tensors) => {
    const dModel = raw.size('hidden_size');
    const A = raw.size('attention_hidden_size', dModel);
    const E = raw.size('head_dim', 64);
    const H = raw.divides('head_dim', E, A);
    const rowsOf = (name: string) =>
      ['model.layers.1.', 'model.layers.0.', 'layers.1.', 'layers.0.']
        .map((layer) => tensors.shape(`${layer}${name}.weight`)?.[0])
        .find((rows) => rows !== undefined);
    // the first layer has no v_lora, and a model of one layer none at all
    const rank = (name: string, key: string) => raw.size(`${key}_low_rank_dim`, rowsOf(`attn.${name}_lora.lora.0`) ?? 1);
    return {
      dModel,
      layers: raw.layers('num_hidden_layers'),
      vocab: raw.size('vocab_size'),
      context: null,
      H,
      E,
      A,
      dFf: raw.size('intermediate_size', rowsOf('ffn.key') ?? 4 * dModel),
      eps: raw.number('norm_eps', 1e-5),
      groupEps: raw.optional('_group_norm_eps') ?? E * raw.number('norm_eps', 1e-5),
      rank: { w: rank('w', 'decay'), a: rank('a', 'a'), v: rank('v', 'v'), g: rank('g', 'gate') },
    };
  },
  layer: (c) => ({ mixer: 'rwkv', attention: null, heads: c.H, headDim: c.E }),
  state: (c) => [matrixState('wkv', [c.H, c.E, c.E]), shiftState('att_shift', c.dModel), shiftState('ffn_shift', c.dModel)],
  carries: (c) => ({ v_first: c.A }),
  embed: (g, c) => g.gather(g.weight('embeddings.weight', [c.vocab, c.dModel]), g.tokens), // [B,T,D]
  block: (g, c, x, i) => {
    const input = i === 0 && g.has('pre_norm.weight') ? layerNorm(g, x, 'pre_norm', c.eps) : x;
    const ln1 = g.probe('ln1', layerNorm(g, input, 'attn_norm', c.eps));
    const mid = g.probe(
      'resid_mid',
      g.add(
        input,
        g.within('', 'attn.', () => timeMix(g, c, ln1, i === 0)),
      ),
    );
    const ln2 = g.probe('ln2', layerNorm(g, mid, 'ffn_norm', c.eps));
    return g.add(
      mid,
      g.within('', 'ffn.', () => channelMix(g, c, ln2)),
    ); // [B,T,D]
  },
  head: (g, c, x) => {
    const normed = g.probe('ln_final', layerNorm(g, x, 'norm', c.eps));
    return g.matmul(
      normed,
      g.topWeight(['lm_head.weight'], [c.vocab, c.dModel]) ?? g.weight('embeddings.weight', [c.vocab, c.dModel]),
      { transB: true },
    ); // [B,T,V]
  },
});
