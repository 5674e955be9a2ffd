import type { CoreConfig } from '../graph/architecture.js';
import { defineArchitecture } from '../graph/architecture.js';
import { causalConv } from '../graph/blocks/conv.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { convState, matrixState } from '../graph/state.js';

interface MambaConfig extends CoreConfig {
  readonly eps: number;
  readonly dInner: number;
  readonly dConv: number;
  readonly N: number;
  readonly R: number;
  readonly tied: boolean;
}

/** Hugging Face's spelling, the original code's, and GGUF converters'. */
const EMBEDDING = ['embeddings.weight', 'embedding.weight', 'embed_tokens.weight'];
const embedding = (g: SegmentBuilder, c: MambaConfig): Value => g.weight(EMBEDDING, [c.vocab, c.dModel]);

/** Alg. 2: h_t = exp(Δ_t A) h_{t−1} + Δ_t B_t x_t, y_t = C_t h_t + D x_t. */
function selectiveScan(g: SegmentBuilder, c: MambaConfig, u: Value): Value {
  const { dInner, N, R } = c;
  const parameters = g.linear(u, 'x_proj', R + 2 * N);
  const [dt, B0, C0] = g.split(parameters, -1, [R, N, N]) as [Value, Value, Value];
  const delta = g.probe('mixer.delta', g.softplus(g.linear(dt, 'dt_proj', dInner))); // [B,T,d]
  const B = g.probe('mixer.B', B0); // [B,T,N]
  const C = g.probe('mixer.C', C0); // [B,T,N]
  const A = g.neg(g.exp(g.weight('A_log', [dInner, N]))); // [d,N]
  const dx = g.mul(delta, u); // [B,T,d]
  const decays = () => g.exp(g.mul(g.unsqueeze(delta, -1), A)); // [B,T,d,N]
  const writes = () => g.mul(g.unsqueeze(dx, -1), g.unsqueeze(B, -2)); // [B,T,d,N]
  const spelledOut = g.touched('mixer.decay') || g.touched('mixer.write');
  const update = spelledOut ? [g.probe('mixer.decay', decays()), g.probe('mixer.write', writes())] : [delta, dx, B];
  if (!spelledOut) {
    g.observe('mixer.decay', decays);
    g.observe('mixer.write', writes);
  }
  const state = matrixState('ssm', [dInner, N]);
  const every = g.wants('state.ssm');
  const { last, outputs } = g.scan(g.statePast(state), [C, ...update], (b, h, [Ct, ...rest]) => {
    const [decay, write] = spelledOut
      ? (rest as [Value, Value])
      : [
          b.exp(b.mul(b.unsqueeze(rest[0] as Value, -1), A)),
          b.mul(b.unsqueeze(rest[1] as Value, -1), b.unsqueeze(rest[2] as Value, -2)),
        ];
    const next = b.add(b.mul(decay, h), write); // [B,d,N]
    const y = b.squeeze(b.matmul(next, b.unsqueeze(Ct as Value, -1)), -1); // [B,d]
    return { state: next, outputs: every ? [y, next] : [y] };
  });
  g.stateNew('ssm', last);
  g.stateEvery('ssm', () => outputs[1] as Value); // [B,T,d,N]
  const skip = g.probe('mixer.skip', g.mul(u, g.weight('D', [dInner]))); // [B,T,d]
  return g.probe('mixer.y', g.add(outputs[0] as Value, skip)); // [B,T,d]
}

function mixer(g: SegmentBuilder, c: MambaConfig, x: Value): Value {
  const [xs, z] = g.split(g.linear(x, 'in_proj', 2 * c.dInner), -1, [c.dInner, c.dInner]) as [Value, Value]; // [B,T,d]
  const u = g.probe('mixer.conv', g.silu(causalConv(g, xs, convState(c.dInner, c.dConv)))); // [B,T,d]
  const gate = g.probe('mixer.gate', g.silu(z));
  return g.probe('mixer.out', g.linear(g.mul(selectiveScan(g, c, u), gate), 'out_proj', c.dModel)); // [B,T,D]
}

/**
 * Mamba: Gu & Dao 2023 (arXiv 2312.00752), Alg. 2; official code state-spaces/mamba mamba_simple.py.
 * d = d_inner channels, N = d_state, R = dt_rank, Δ = step size, h = state [d,N].
 */
export const mamba = defineArchitecture<MambaConfig>({
  id: 'mamba',
  names: ['mamba', 'MambaForCausalLM', 'MambaModel', 'MambaLMHeadModel'],
  prefixes: ['backbone.', 'model.', ''],
  anchor: EMBEDDING,
  blockPrefix: (i) => `layers.${i}.`,
  config: (raw) => {
    const dModel = raw.size(['hidden_size', 'd_model']);
    const expand = raw.number('expand', 2);
    raw.word('hidden_act', ['silu', 'swish'], 'silu');
    return {
      dModel,
      layers: raw.layers(['num_hidden_layers', 'n_layer']),
      vocab: raw.size('vocab_size'),
      context: null,
      tied: raw.flag('tie_word_embeddings', true),
      eps: raw.number('layer_norm_epsilon', 1e-5),
      dInner: raw.size(['intermediate_size', 'd_inner'], Math.floor(expand * dModel)),
      dConv: raw.size(['conv_kernel', 'd_conv'], 4),
      N: raw.size(['state_size', 'd_state'], 16),
      R:
        raw.value('time_step_rank', 'dt_rank') === 'auto'
          ? Math.ceil(dModel / 16)
          : raw.size(['time_step_rank', 'dt_rank'], Math.ceil(dModel / 16)),
    };
  },
  layer: (c) => ({ mixer: 'mamba', attention: null, heads: 1, headDim: c.dInner }),
  state: (c) => [convState(c.dInner, c.dConv), matrixState('ssm', [c.dInner, c.N])],
  embed: (g, c) => g.gather(embedding(g, c), g.tokens), // [B,T,D]
  block: (g, c, x) => {
    const normed = g.probe('ln1', rmsNorm(g, x, 'norm', c.eps));
    return g.add(
      x,
      g.within('', 'mixer.', () => mixer(g, c, normed)),
    ); // [B,T,D]
  },
  head: (g, c, x) => {
    const normed = g.probe('ln_final', rmsNorm(g, x, 'norm_f', c.eps));
    const own = c.tied ? null : g.topWeight(['lm_head.weight'], [c.vocab, c.dModel]);
    return g.matmul(normed, own ?? embedding(g, c), { transB: true }); // [B,T,V]
  },
});
