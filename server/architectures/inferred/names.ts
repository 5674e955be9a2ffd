/** Spellings of the parts of a decoder, in the order in which they are looked for. Nothing here says what a model computes. */

const weight = (...names: string[]): string[] => names.map((name) => `${name}.weight`);

/** Prefix, list of blocks, number of a block. */
export const BLOCKS = /^(.*?)(layers|h|blocks|block)\.(\d+)\./;

export const EMBEDDINGS = weight('embed_tokens', 'wte', 'word_embeddings', 'tok_embeddings', 'embed_in', 'embedding');
export const POSITIONS = weight('wpe', 'embed_positions', 'position_embeddings');
export const FINAL_NORMS = weight('norm', 'ln_f', 'final_layernorm', 'final_layer_norm', 'final_norm', 'norm_f', 'layer_norm');
/** Outside every prefix. */
export const HEADS = weight('lm_head', 'embed_out', 'output', 'language_model.lm_head');

/** Paths of the two halves of a block. */
const ATTENTIONS = ['self_attn.', 'attn.attention.', 'attn.', 'attention.', 'self_attention.'];
const MLPS = ['mlp.', 'feed_forward.', 'block_sparse_moe.', 'ffn.', ''];

const under = (paths: readonly string[], names: readonly string[]): string[] =>
  paths.flatMap((path) => names.map((name) => path + name));

/** Three matrices. */
export const QUERIES = under(ATTENTIONS, weight('q_proj', 'wq', 'query'));
export const SEPARATE: Readonly<Record<string, readonly [q: string, k: string, v: string]>> = {
  q_proj: ['q_proj', 'k_proj', 'v_proj'],
  wq: ['wq', 'wk', 'wv'],
  query: ['query', 'key', 'value'],
};
/** One matrix whose rows are all queries, then all keys, then all values. */
export const STACKED = under(ATTENTIONS, weight('qkv_proj', 'c_attn', 'W_pack', 'Wqkv'));
/** One matrix whose rows have been laid out in several ways. */
export const MIXED = under(ATTENTIONS, weight('query_key_value', 'wqkv', 'qkv'));
export const OUTPUTS = weight('o_proj', 'out_proj', 'dense', 'c_proj', 'wo');
/** Norms of queries and keys, below the path of the attention. `late`: they come behind RoPE. */
export const QK_NORMS = [
  { q: 'q_norm', k: 'k_norm', late: false },
  { q: 'q_layernorm', k: 'k_layernorm', late: false },
  { q: 'query_layernorm', k: 'key_layernorm', late: true },
] as const;

interface Gated {
  readonly gate: string;
  readonly up: string;
  readonly down: string;
}
export const GATED: readonly Gated[] = [
  { gate: 'gate_proj', up: 'up_proj', down: 'down_proj' },
  { gate: 'w1', up: 'w3', down: 'w2' },
  { gate: 'c_fc_0', up: 'c_fc_1', down: 'c_proj' },
];
/** Gate and up in one matrix, gate first. */
export const FUSED_GATES = [{ gateUp: 'gate_up_proj', down: 'down_proj' }] as const;
export const PLAIN = [
  { up: 'up_proj', down: 'down_proj' },
  { up: 'fc1', down: 'fc2' },
  { up: 'c_fc', down: 'c_proj' },
  { up: 'fc_in', down: 'fc_out' },
  { up: 'dense_h_to_4h', down: 'dense_4h_to_h' },
] as const;
export const ROUTERS = under(MLPS, weight('gate', 'router', 'router.gate', 'router.layer'));
export const mlpPaths = (name: string): string[] => under(MLPS, [`${name}.weight`]);

/** How the norms of a block stand around its halves. */
export interface Norms {
  readonly attention: { readonly before: string | null; readonly after: string | null };
  readonly mlp: { readonly before: string | null; readonly after: string | null };
  /** Both halves read what enters the block. */
  readonly parallel: boolean;
  readonly words: string;
}

const pre = (a: string, b: string): Norms => ({
  attention: { before: a, after: null },
  mlp: { before: b, after: null },
  parallel: false,
  words: 'a norm before each half',
});
const side = (a: string, b = a): Norms => ({ ...pre(a, b), parallel: true, words: 'both halves read the same stream' });
const post = (a: string, b: string): Norms => ({
  attention: { before: null, after: a },
  mlp: { before: null, after: b },
  parallel: false,
  words: 'a norm behind each half, none before',
});
const around = (a: string, b: string, c: string, d: string): Norms => ({
  attention: { before: a, after: b },
  mlp: { before: c, after: d },
  parallel: false,
  words: 'norms before and behind each half',
});

/** Every norm of a block, by name; what else a block holds decides nothing. */
export const ARRANGEMENTS: readonly Norms[] = [
  pre('input_layernorm', 'post_attention_layernorm'),
  pre('input_layernorm', 'pre_feedforward_layernorm'),
  pre('attention_norm', 'ffn_norm'),
  pre('attention_layernorm', 'feedforward_layernorm'),
  pre('ln_1', 'ln_2'),
  pre('ln1', 'ln2'),
  pre('norm1', 'norm2'),
  pre('norm_1', 'norm_2'),
  pre('self_attn_layer_norm', 'final_layer_norm'),
  side('input_layernorm'),
  side('ln_1'),
  side('ln_attn', 'ln_mlp'),
  post('post_attention_layernorm', 'post_feedforward_layernorm'),
  around('input_layernorm', 'post_attention_layernorm', 'pre_feedforward_layernorm', 'post_feedforward_layernorm'),
  around('input_layernorm', 'post_attention_layernorm', 'pre_mlp_layernorm', 'post_mlp_layernorm'),
  around('input_layernorm', 'post_self_attn_layernorm', 'post_attention_layernorm', 'post_mlp_layernorm'),
  around('input_layernorm', 'post_norm1', 'post_attention_layernorm', 'post_norm2'),
];

export const namesOf = ({ attention, mlp }: Norms): string[] => [
  ...new Set([attention.before, attention.after, mlp.before, mlp.after].filter((name) => name !== null)),
];

/** Buffers that files carry along: causal masks and RoPE's frequencies. */
export const CARRIED = /(?:rotary_emb\.inv_freq|(?:attn|attention)\.(?:masked_)?bias|embed_positions\.inv_freq|act_fn\.eps)$/;
