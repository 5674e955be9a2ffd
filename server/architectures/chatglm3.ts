import type { CoreConfig } from '../graph/architecture.js';
import { defineArchitecture } from '../graph/architecture.js';
import { type AttentionSpec, attend, attentionState, splitHeads } from '../graph/blocks/attention.js';
import { activation, fusedGatedMlp } from '../graph/blocks/mlp.js';
import { layerNorm, rmsNorm } from '../graph/blocks/norm.js';
import { rope } from '../graph/blocks/rope.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';

interface ChatGlmConfig extends CoreConfig {
  readonly norm: (g: SegmentBuilder, x: Value, name: string) => Value;
  readonly dFf: number;
  /** Head by head as in GPT-NeoX, where no heads share their keys; all q, then k, then v otherwise. */
  readonly byHead: boolean;
  /** The residual stream goes on from the norm's output, not its input. */
  readonly fromNorm: boolean;
  readonly finalNorm: boolean;
  readonly attention: AttentionSpec;
}

const MLP = { gateUp: 'dense_h_to_4h', down: 'dense_4h_to_h' };

function config(raw: ConfigReader): ChatGlmConfig {
  const dModel = raw.size('hidden_size');
  const heads = raw.size('num_attention_heads');
  const headDim = raw.size('kv_channels', () => raw.divides('num_attention_heads', heads, dModel));
  const grouped = raw.flag('multi_query_attention', false);
  const kvHeads = grouped ? raw.size('multi_query_group_num', 1) : heads;
  raw.divides('multi_query_group_num', kvHeads, heads);
  const eps = raw.number('layernorm_epsilon', 1e-5);
  const rms = raw.flag('rmsnorm', true);
  const theta = 10_000 * raw.number('rope_ratio', 1);
  const plain = { type: 'default', theta, get: () => null, list: () => null, context: null };
  return {
    dModel,
    layers: raw.layers(['num_layers', 'num_hidden_layers']),
    vocab: raw.size(['padded_vocab_size', 'vocab_size']),
    context: raw.optional('seq_length'),
    norm: (g, x, name) => (rms ? rmsNorm(g, x, name, eps) : layerNorm(g, x, name, eps)),
    dFf: raw.size('ffn_hidden_size'),
    byHead: !grouped,
    fromNorm: raw.flag('apply_residual_connection_post_layernorm', false),
    finalNorm: raw.flag('post_layer_norm', true),
    attention: {
      heads,
      kvHeads,
      headDim,
      scale: headDim ** -0.5,
      softcap: null,
      window: null,
      rope: rope(headDim / 2, plain, 'interleaved'),
    },
  };
}

function attention(g: SegmentBuilder, c: ChatGlmConfig, x: Value): Value {
  const { heads: H, kvHeads: K, headDim: E } = c.attention;
  const rows = g.linear(x, 'self_attention.query_key_value', (H + 2 * K) * E);
  const [q, k, v] = (
    c.byHead
      ? g.split(g.transpose(g.reshape(rows, 0, 0, H, 3 * E), 0, 2, 1, 3), -1, [E, E, E])
      : g.split(rows, -1, [H * E, K * E, K * E]).map((part, i) => splitHeads(g, part, i === 0 ? H : K))
  ) as [Value, Value, Value]; // [B,H,T,E]
  return g.probe('attn.out', g.linear(attend(g, c.attention, { q, k, v }), 'self_attention.dense', c.dModel)); // [B,T,D]
}

/**
 * ChatGLM3: Zeng et al. 2022 (arXiv 2210.02414), Team GLM 2024 (2406.12793); official code zai-org/ChatGLM3, in the tensor names it is
 * published with. Grouped queries with biases, RoPE on neighbouring pairs of the first half of each head, gate and up in one matrix.
 */
export const chatglm3 = defineArchitecture<ChatGlmConfig>({
  id: 'chatglm3',
  names: ['chatglm', 'ChatGLMModel', 'ChatGLMForConditionalGeneration'],
  prefixes: ['transformer.', ''],
  anchor: 'embedding.word_embeddings.weight',
  blockPrefix: (i) => `encoder.layers.${i}.`,
  config,
  layer: (c) => ({ mixer: 'attention', attention: c.attention, heads: c.attention.heads, headDim: c.attention.headDim }),
  state: (c) => attentionState(c.attention),
  embed: (g, c) => g.gather(g.weight('embedding.word_embeddings.weight', [c.vocab, c.dModel]), g.tokens), // [B,T,D]
  block: (g, c, x) => {
    const ln1 = g.probe('ln1', c.norm(g, x, 'input_layernorm'));
    const mid = g.probe('resid_mid', g.add(c.fromNorm ? ln1 : x, attention(g, c, ln1)));
    const ln2 = g.probe('ln2', c.norm(g, mid, 'post_attention_layernorm'));
    const mlp = g.within('', 'mlp.', () => fusedGatedMlp(g, ln2, c.dFf, activation('silu'), MLP));
    return g.add(c.fromNorm ? ln2 : mid, mlp); // [B,T,D]
  },
  head: (g, c, x) => {
    const normed = g.probe('ln_final', c.finalNorm ? c.norm(g, x, 'encoder.final_layernorm') : x);
    return g.matmul(normed, g.weight('output_layer.weight', [c.vocab, c.dModel]), { transB: true }); // [B,T,V]
  },
});
