import type { CoreConfig } from '../graph/architecture.js';
import { defineArchitecture } from '../graph/architecture.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder, TensorTable } from '../graph/segmentBuilder.js';
import { matrixState } from '../graph/state.js';

interface XlstmConfig extends CoreConfig {
  readonly H: number;
  /** Channels of all queries (and keys), and of all values. */
  readonly dQk: number;
  readonly dV: number;
  readonly dFf: number;
  readonly normEps: number;
  readonly eps: number;
  readonly gateCap: number;
  readonly logitCap: number;
}

const capped = (g: SegmentBuilder, x: Value, cap: number): Value => g.mul(g.tanh(g.div(x, cap)), cap);

/** Several maps of one input, stored apart or (weight_mode "fused") below each other in one matrix. */
function maps(g: SegmentBuilder, x: Value, fused: string, names: readonly string[], sizes: readonly number[]): Value[] {
  if (!g.has(`${fused}.weight`)) return names.map((name, i) => g.linear(x, name, sizes[i] as number));
  const all = g.linear(
    x,
    fused,
    sizes.reduce((a, b) => a + b, 0),
  );
  return g.split(all, -1, sizes);
}

interface Recurrence {
  /** [B,T,H,E] twice, [B,T,H,V]. */
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  /** log i and log f, [B,T,H]. */
  readonly i: Value;
  readonly f: Value;
}

/** Eq. 19–27: C_t = f' C_{t−1} + i' k vᵀ, n_t = f' n_{t−1} + i' k, h̃_t = Cᵀq / max(|n·q|, e^−m); f' and i' are e^(log f + m_{t−1} − m_t) and e^(log i − m_t). */
function mlstm(g: SegmentBuilder, c: XlstmConfig, x: Recurrence): Value {
  const { H } = c;
  const [E, V] = [c.dQk / H, c.dV / H];
  const specs = [matrixState('C', [H, E, V]), matrixState('n', [H, E]), matrixState('m', [H])];
  const inspected = ['state.C', 'state.n', 'state.m', 'mixer.decay', 'mixer.gain', 'mixer.norm'].some((name) => g.wants(name));
  const past = specs.map((spec) => g.statePast(spec));
  const { last, outputs } = g.scanStates(past, [x.q, x.k, x.v, x.i, x.f], (b, states, inputs) => {
    const [C, n, m] = states as [Value, Value, Value]; // [B,H,E,V], [B,H,E], [B,H]
    const [q, k, v, i, f] = inputs as [Value, Value, Value, Value, Value];
    const wide = (u: Value) => b.unsqueeze(u, -1);
    const kept = b.add(f, m);
    const mNew = b.max(kept, i);
    const [decay, gain] = [b.exp(b.sub(kept, mNew)), b.exp(b.sub(i, mNew))]; // [B,H]
    const stored = b.mul(wide(k), b.unsqueeze(v, -2)); // [B,H,E,V]
    const CNew = b.add(b.mul(C, wide(wide(decay))), b.mul(stored, wide(wide(gain))));
    const nNew = b.add(b.mul(n, wide(decay)), b.mul(k, wide(gain)));
    const read = b.squeeze(b.matmul(b.unsqueeze(q, -2), CNew), -2); // [B,H,V]
    const along = b.squeeze(b.reduceSum(b.mul(nNew, q), -1), -1); // [B,H]
    const norm = b.add(b.max(b.max(along, b.neg(along)), b.exp(b.neg(mNew))), c.eps);
    const y = b.div(read, wide(norm));
    return { states: [CNew, nNew, mNew], outputs: inspected ? [y, CNew, nNew, mNew, decay, gain, norm] : [y] };
  });
  for (const [j, { name }] of specs.entries()) {
    g.stateNew(name, last[j] as Value);
    g.stateEvery(name, () => outputs[1 + j] as Value);
  }
  for (const [j, name] of ['mixer.decay', 'mixer.gain', 'mixer.norm'].entries()) g.observe(name, () => outputs[4 + j] as Value);
  return g.probe('mixer.y', outputs[0] as Value); // [B,T,H,V]
}

/** LayerNorm within each head, then one weight (and, with use_bias, one bias) over all channels. */
function headNorm(g: SegmentBuilder, c: XlstmConfig, y: Value): Value {
  const V = c.dV / c.H;
  const ones = g.constant(new Float32Array(V).fill(1), [V]);
  const normed = g.op('LayerNormalization', [y, ones, null], y.shape, { axis: -1, epsilon: c.normEps });
  const scaled = g.mul(g.reshape(normed, 0, 0, c.dV), g.weight('multihead_norm.weight', [c.dV]));
  return g.has('multihead_norm.bias') ? g.add(scaled, g.weight('multihead_norm.bias', [c.dV])) : scaled;
}

function layer(g: SegmentBuilder, c: XlstmConfig, x: Value): Value {
  const { H, dQk, dV } = c;
  const [q, k, v, o] = maps(g, x, 'qkv_opreact', ['q', 'k', 'v', 'ogate_preact'], [dQk, dQk, dV, dV]) as [
    Value,
    Value,
    Value,
    Value,
  ];
  const gates = maps(g, x, 'ifgate_preact', ['igate_preact', 'fgate_preact'], [H, H]);
  const [i, f] = gates.map((gate) => capped(g, gate, c.gateCap)) as [Value, Value]; // [B,T,H]
  const heads = (name: string, y: Value, size: number) => g.probe(name, g.reshape(y, 0, 0, H, size / H)); // [B,T,H,·]
  const y = mlstm(g, c, {
    q: heads('mixer.q', g.mul(q, (dQk / H) ** -0.5), dQk),
    k: heads('mixer.k', k, dQk),
    v: heads('mixer.v', v, dV),
    i: g.probe('mixer.i', i),
    f: g.probe('mixer.f', g.neg(g.softplus(g.neg(f)))), // log σ
  });
  const out = g.mul(headNorm(g, c, y), g.probe('mixer.gate', g.sigmoid(o)));
  return g.probe('mixer.out', g.linear(out, 'out_proj', c.dModel)); // [B,T,D]
}

function feedForward(g: SegmentBuilder, c: XlstmConfig, x: Value): Value {
  const [gate, up] = maps(g, x, 'proj_up_gate_z', ['proj_up_gate', 'proj_up'], [c.dFf, c.dFf]) as [Value, Value];
  const post = g.probe('mlp.post', g.mul(g.silu(g.probe('mlp.pre', gate)), up)); // [B,T,F]
  return g.probe('mlp.out', g.linear(post, 'proj_down', c.dModel)); // [B,T,D]
}

/** Rows of the down projection's input: what the config says only by a rounding rule. */
const widthOf = (tensors: TensorTable): number | undefined =>
  ['backbone.', '']
    .map((prefix) => tensors.shape(`${prefix}blocks.0.ffn.proj_down.weight`)?.[1])
    .find((size) => size !== undefined);

/**
 * xLSTM 7B: Beck et al. 2025 (arXiv 2503.13427), mLSTM: Beck et al. 2024 (2405.04517); official code NX-AI/xlstm. C matrix memory [E,V],
 * n what has been stored under each key, m largest exponent so far, i and f logarithms of the input and forget gates.
 */
export const xlstm = defineArchitecture<XlstmConfig>({
  id: 'xlstm',
  names: ['xlstm', 'xLSTMForCausalLM', 'xLSTMModel'],
  prefixes: ['backbone.', ''],
  anchor: 'embeddings.weight',
  blockPrefix: (i) => `blocks.${i}.`,
  config: (raw, tensors) => {
    const dModel = raw.size(['hidden_size', 'embedding_dim']);
    const H = raw.size('num_heads', 8);
    const dQk = Math.floor(dModel * raw.number('qk_dim_factor', 0.5));
    const dV = Math.floor(dModel * raw.number('v_dim_factor', 1));
    for (const size of [dQk, dV]) raw.divides('num_heads', H, size);
    const multiple = raw.size('ffn_round_up_to_multiple_of', 64);
    return {
      dModel,
      layers: raw.layers(['num_hidden_layers', 'num_blocks']),
      vocab: raw.size('vocab_size'),
      context: null,
      H,
      dQk,
      dV,
      dFf: widthOf(tensors) ?? Math.ceil((dModel * raw.number('ffn_proj_factor', 2.667)) / multiple) * multiple,
      normEps: raw.number('norm_eps', 1e-6),
      eps: raw.number('eps', 1e-6),
      gateCap: raw.number('gate_soft_cap', 15),
      logitCap: raw.number('output_logit_soft_cap', 30),
    };
  },
  layer: (c) => ({ mixer: 'mlstm', attention: null, heads: c.H, headDim: c.dV / c.H }),
  state: ({ H, dQk, dV }) => [matrixState('C', [H, dQk / H, dV / H]), matrixState('n', [H, dQk / H]), matrixState('m', [H])],
  embed: (g, c) => g.gather(g.weight('embeddings.weight', [c.vocab, c.dModel]), g.tokens), // [B,T,D]
  block: (g, c, x) => {
    const ln1 = g.probe('ln1', rmsNorm(g, x, 'norm_mlstm', c.normEps));
    const mid = g.probe(
      'resid_mid',
      g.add(
        x,
        g.within('', 'mlstm_layer.', () => layer(g, c, ln1)),
      ),
    );
    const ln2 = g.probe('ln2', rmsNorm(g, mid, 'norm_ffn', c.normEps));
    return g.add(
      mid,
      g.within('', 'ffn.', () => feedForward(g, c, ln2)),
    ); // [B,T,D]
  },
  head: (g, c, x) => {
    const normed = g.probe('ln_final', g.has('out_norm.weight') ? rmsNorm(g, x, 'out_norm', c.normEps) : x);
    const own = g.topWeight(['lm_head.weight'], [c.vocab, c.dModel]);
    const logits = g.matmul(normed, own ?? g.weight('embeddings.weight', [c.vocab, c.dModel]), { transB: true });
    return capped(g, logits, c.logitCap); // [B,T,V]
  },
});
