import type { CoreConfig } from '../graph/architecture.js';
import { defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attend, attentionState, splitHeads } from '../graph/blocks/attention.js';
import { activation, activationNames, gatedMlp } from '../graph/blocks/mlp.js';
import { rmsNorm } from '../graph/blocks/norm.js';
import { dividedBy, ROPE_FACTORS, type Rope, rope } from '../graph/blocks/rope.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder, TensorTable } from '../graph/segmentBuilder.js';

/** What Llama and its many descendants (Mistral, Qwen2, Qwen3) share. */
export interface LlamaConfig extends CoreConfig {
  readonly eps: number;
  readonly dFf: number;
  readonly act: string;
  /** One a layer; layers that share a spec share the object. */
  readonly attention: readonly AttentionSpec[];
}

export const MLP = { gate: 'gate_proj', up: 'up_proj', down: 'down_proj' };

/** Rows of a projection of the first layer: what a config leaves out, the tensors say. */
const rowsOf = (tensors: TensorTable, projection: string): number | undefined =>
  llamaParts.prefixes
    .map((prefix) => tensors.shape(`${prefix}layers.0.self_attn.${projection}.weight`)?.[0])
    .find((rows) => rows !== undefined);

/** What a family's configs mean when they leave a key out, and how its RoPE pairs dimensions. */
interface LlamaDefaults {
  readonly style?: Rope['style'];
  /** Of each head that turns. */
  readonly fraction?: number;
  readonly theta?: number;
  readonly eps?: number;
}

/** `windowed(i)`: the window of layers that slide. */
export function llamaConfig(
  raw: ConfigReader,
  tensors: TensorTable,
  windowed: (i: number) => number | null = () => null,
  { style = 'half', fraction = 1, theta, eps = 1e-6 }: LlamaDefaults = {},
): LlamaConfig {
  const dModel = raw.size(['hidden_size', 'n_embd']);
  const layers = raw.layers(['num_hidden_layers', 'n_layer']);
  const heads = raw.size('num_attention_heads');
  const headDim = raw.size('head_dim', () => raw.divides('num_attention_heads', heads, rowsOf(tensors, 'q_proj') ?? dModel));
  const kvHeads = raw.size('num_key_value_heads', (rowsOf(tensors, 'k_proj') ?? heads * headDim) / headDim);
  raw.divides('num_key_value_heads', kvHeads, heads);
  const parameters = raw.rope(theta);
  const turning = parameters.get('partial_rotary_factor') ?? raw.number('partial_rotary_factor', fraction);
  const turn = rope(Math.floor(headDim * turning), parameters, style);
  const spec = (window: number | null): AttentionSpec => ({
    heads,
    kvHeads,
    headDim,
    scale: headDim ** -0.5,
    softcap: null,
    window,
    rope: turn,
  });
  return {
    layers,
    dModel,
    vocab: raw.size('vocab_size'),
    context: raw.optional('max_position_embeddings'),
    stretches: turn.stretch?.beyond ?? null,
    eps: raw.number('rms_norm_eps', eps),
    dFf: raw.size('intermediate_size'),
    act: raw.word(['hidden_act', 'hidden_activation'], activationNames, 'silu'),
    attention: Array.from({ length: layers }, (_, i) => spec(windowed(i))),
  };
}

/** What differs between the family's members: what happens to q and k before RoPE. */
export type QkNorm = (g: SegmentBuilder, x: Value, name: 'q_norm' | 'k_norm') => Value;

export function selfAttention(g: SegmentBuilder, spec: AttentionSpec, x: Value, norm: QkNorm = (_, y) => y): Value {
  const { heads: H, kvHeads: K, headDim: E } = spec;
  const q = norm(g, splitHeads(g, g.linear(x, 'self_attn.q_proj', H * E), H), 'q_norm'); // [B,H,T,E]
  const k = norm(g, splitHeads(g, g.linear(x, 'self_attn.k_proj', K * E), K), 'k_norm'); // [B,K,T,E]
  const v = splitHeads(g, g.linear(x, 'self_attn.v_proj', K * E), K); // [B,K,T,E]
  const heads = { q, k, v, ...(spec.sinks && { sinks: g.weight('self_attn.sinks', [H]) }) };
  return g.probe('attn.out', g.linear(attend(g, spec, heads), 'self_attn.o_proj', x.shape.at(-1) as number)); // [B,T,D]
}

export const feedForward = (g: SegmentBuilder, c: LlamaConfig, x: Value): Value =>
  g.within('', 'mlp.', () => gatedMlp(g, x, c.dFf, activation(c.act), MLP));

/** x + attention(norm x), then x + mlp(norm x): what most descendants keep, whatever they put into the halves. */
export function preNormBlock(
  g: SegmentBuilder,
  { eps }: Pick<LlamaConfig, 'eps'>,
  x: Value,
  halves: { readonly attention: (ln1: Value) => Value; readonly mlp: (ln2: Value) => Value },
): Value {
  const mid = g.probe('resid_mid', g.add(x, halves.attention(g.probe('ln1', rmsNorm(g, x, 'input_layernorm', eps)))));
  return g.add(mid, halves.mlp(g.probe('ln2', rmsNorm(g, mid, 'post_attention_layernorm', eps)))); // [B,T,D]
}

export const layer = (c: LlamaConfig, i: number) => {
  const attention = c.attention[i] as AttentionSpec;
  return { mixer: 'attention', attention, heads: attention.heads, headDim: attention.headDim } as const;
};

export const embed = (g: SegmentBuilder, c: LlamaConfig): Value =>
  g.gather(g.weight('embed_tokens.weight', [c.vocab, c.dModel]), g.tokens);

/** What is stored decides, as in transformers 5: a config that says that embeddings are tied beside an lm_head is wrong. */
export function unembed(g: SegmentBuilder, c: LlamaConfig, x: Value): Value {
  const own = g.topWeight(['lm_head.weight', 'language_model.lm_head.weight'], [c.vocab, c.dModel]);
  return g.matmul(x, own ?? g.weight('embed_tokens.weight', [c.vocab, c.dModel]), { transB: true }); // [B,T,V]
}

export const llamaParts = {
  prefixes: ['model.', '', 'language_model.model.', 'model.language_model.'],
  anchor: 'embed_tokens.weight',
  blockPrefix: (i: number) => `layers.${i}.`,
  layer,
  state: (c: LlamaConfig, i: number) => attentionState(c.attention[i] as AttentionSpec),
  embed,
  block: (g: SegmentBuilder, c: LlamaConfig, x: Value, i: number, norm?: QkNorm): Value =>
    preNormBlock(g, c, x, {
      attention: (ln1) => selfAttention(g, c.attention[i] as AttentionSpec, ln1, norm),
      mlp: (ln2) => feedForward(g, c, ln2),
    }),
  head: (g: SegmentBuilder, c: LlamaConfig, x: Value): Value => unembed(g, c, g.probe('ln_final', rmsNorm(g, x, 'norm', c.eps))),
};

/**
 * Llama: Touvron et al. 2023 (arXiv 2302.13971), Llama 3 (2407.21783); official code meta-llama/llama3 model.py.
 * RMSNorm before, RoPE on q and k, grouped queries (Ainslie et al. 2023), SwiGLU.
 */
export const llama = defineArchitecture<LlamaConfig>({
  id: 'llama',
  names: ['llama', 'LlamaForCausalLM', 'LlamaModel'],
  ...llamaParts,
  config: (raw: ConfigReader, tensors: TensorTable) => withRopeFactors(llamaConfig(raw, tensors), tensors),
  block: (g, c, x, i) => llamaParts.block(g, c, x, i),
});

/** The values of the divisors come with the table. */
function withRopeFactors(config: LlamaConfig, tensors: TensorTable): LlamaConfig {
  const factors = tensors.values?.get(ROPE_FACTORS);
  if (!factors) return config;
  const attention = config.attention.map((spec) => ({ ...spec, rope: spec.rope && dividedBy(spec.rope, factors) }));
  return { ...config, attention };
}
