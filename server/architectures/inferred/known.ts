import type { Evidence } from './evidence.js';
import { isGguf, likelyGgufPairs, recogniseGguf } from './ggufKnown.js';
import { storedGains } from './telling.js';
import type { Known } from './unsaid.js';

interface Family {
  /** `model_type` and `architectures`. */
  readonly names: readonly string[];
  /** What no other family's files have: enough when nobody names it, and said in words. */
  readonly sign?: readonly [when: (e: Evidence) => boolean, words: string];
  known(e: Evidence): Known;
}

const has = (e: Evidence, ...keys: readonly string[]): boolean => keys.every((key) => e.config.raw[key] !== undefined);
const stored = (e: Evidence, ...names: readonly string[]): boolean =>
  names.every((name) => e.inner.some((inner) => inner.endsWith(`${name}.weight`)));

const falconLayout = (e: Evidence): 'stacked' | 'heads' | 'groups' =>
  e.flag('new_decoder_architecture') === true ? 'groups' : e.flag('multi_query') === true ? 'stacked' : 'heads';

const gatedByGelu = (e: Evidence): boolean =>
  /^gelu/.test(String(e.config.raw.hidden_activation ?? e.config.raw.hidden_act)) && stored(e, 'mlp.gate_proj');

const gemma: Known = { tanhGelu: true, offset: 1, scaledEmbedding: true, interleaved: false };

/** Families that look like others. The first that is named, or else whose sign is there. */
const families: readonly Family[] = [
  {
    names: ['vaultgemma', 'VaultGemmaForCausalLM'],
    sign: [
      (e) => has(e, 'query_pre_attn_scalar', 'final_logit_softcapping'),
      'query_pre_attn_scalar and final_logit_softcapping',
    ],
    known: () => ({ offset: 1, scaledEmbedding: true, fullLayersTurn: true }),
  },
  {
    names: ['gemma2', 'gemma3_text'],
    sign: [(e) => stored(e, 'pre_feedforward_layernorm', 'post_feedforward_layernorm'), 'pre_ and post_feedforward_layernorm'],
    known: () => ({
      offset: 1,
      scaledEmbedding: true,
      fullLayersTurn: true,
      requires: ['query_pre_attn_scalar', 'attn_logit_softcapping', 'final_logit_softcapping', 'layer_types', 'rms_norm_eps'],
    }),
  },
  {
    names: ['gemma', 'GemmaForCausalLM'],
    sign: [
      (e) => gatedByGelu(e) && (has(e, 'use_bidirectional_attention') || has(e, 'hidden_activation')),
      'a gate of gelu beside use_bidirectional_attention or hidden_activation',
    ],
    known: () => gemma,
  },
  {
    names: ['glm', 'glm4'],
    sign: [(e) => stored(e, 'mlp.gate_up_proj', 'self_attn.q_proj'), 'gate_up_proj beside q_proj'],
    known: () => ({ interleaved: true, requires: ['rms_norm_eps'] }),
  },
  {
    names: ['gpt_neox'],
    sign: [
      (e) => has(e, 'use_parallel_residual') && stored(e, 'attention.query_key_value'),
      'use_parallel_residual and query_key_value',
    ],
    known: () => ({ mixed: 'heads' }),
  },
  {
    names: ['qwen2'],
    sign: [(e) => has(e, 'use_sliding_window', 'max_window_layers'), 'use_sliding_window and max_window_layers'],
    known: () => ({ fullLayersTurn: true }),
  },
  {
    names: ['cohere2', 'Cohere2ForCausalLM'],
    sign: [(e) => has(e, 'logit_scale', 'layer_types', 'layer_norm_eps'), 'logit_scale, layer_types and layer_norm_eps'],
    known: () => ({ interleaved: true, norm: 'layer', fullLayersTurn: false }),
  },
  {
    names: ['cohere', 'CohereForCausalLM'],
    sign: [(e) => has(e, 'logit_scale', 'use_qk_norm', 'layer_norm_eps'), 'logit_scale, use_qk_norm and layer_norm_eps'],
    known: () => ({ interleaved: true, norm: 'layer' }),
  },
  {
    names: ['olmo', 'OlmoForCausalLM'],
    known: () => ({ weightless: 1e-5, interleaved: false }),
  },
  {
    names: ['gpt_neo', 'GPTNeoForCausalLM'],
    sign: [(e) => has(e, 'attention_types', 'window_size'), 'attention_types and window_size'],
    known: () => ({ scale: 1 }),
  },
  { names: ['helium', 'HeliumForCausalLM'], known: () => ({ interleaved: true }) },
  {
    names: ['cohere2_moe', 'ernie4_5_moe', 'glm4v_text', 'glm_ocr_text', 'Cohere2MoeForCausalLM', 'Ernie4_5_MoeForCausalLM'],
    known: () => ({ interleaved: true }),
  },
  {
    names: ['ernie4_5', 'Ernie4_5ForCausalLM'],
    sign: [
      (e) => has(e, 'use_bias', 'rms_norm_eps') && !has(e, 'attention_bias'),
      'use_bias and rms_norm_eps, without attention_bias',
    ],
    known: () => ({ interleaved: true }),
  },
  {
    names: ['gptj', 'GPTJForCausalLM'],
    sign: [(e) => has(e, 'rotary_dim') && stored(e, 'attn.q_proj', 'mlp.fc_in'), 'rotary_dim, attn.q_proj and mlp.fc_in'],
    known: () => ({ interleaved: true, theta: 10_000 }),
  },
  { names: ['minimax_m2', 'MiniMaxM2ForCausalLM'], known: () => ({ interleaved: false }) },
  {
    names: ['nemotron', 'NemotronForCausalLM'],
    sign: [(e) => has(e, 'norm_eps') && e.config.raw.hidden_act === 'relu2', 'norm_eps and relu2'],
    known: () => ({ offset: 1, norm: 'layer' }),
  },
  {
    names: ['exaone', 'ExaoneForCausalLM'],
    sign: [(e) => stored(e, 'mlp.c_fc_0', 'mlp.c_fc_1'), 'mlp.c_fc_0 and mlp.c_fc_1'],
    known: () => ({ norm: 'rms' }),
  },
  {
    names: ['exaone4', 'exaone_moe', 'Exaone4ForCausalLM', 'ExaoneMoeForCausalLM'],
    sign: [(e) => has(e, 'sliding_window_pattern') && stored(e, 'self_attn.q_norm'), 'sliding_window_pattern and q_norm'],
    known: () => ({ fullLayersTurn: false }),
  },
  { names: ['cwm', 'CwmForCausalLM'], known: () => ({ fullLayersTurn: true }) },
  {
    names: ['falcon', 'FalconForCausalLM', 'RWForCausalLM'],
    sign: [(e) => has(e, 'new_decoder_architecture', 'multi_query'), 'new_decoder_architecture and multi_query'],
    known: (e) => ({ mixed: falconLayout(e) }),
  },
  {
    names: ['gpt_bigcode', 'GPTBigCodeForCausalLM'],
    sign: [(e) => has(e, 'multi_query', 'scale_attention_softmax_in_fp32'), 'multi_query and scale_attention_softmax_in_fp32'],
    known: (e) => ({ mixed: e.flag('multi_query') === false ? 'heads' : 'stacked' }),
  },
  { names: ['persimmon', 'PersimmonForCausalLM'], known: () => ({ mixed: 'heads' }) },
  {
    names: ['opt', 'OPTForCausalLM'],
    sign: [(e) => has(e, 'do_layer_norm_before', 'word_embed_proj_dim'), 'do_layer_norm_before and word_embed_proj_dim'],
    known: () => ({ positionOffset: 2, eps: 1e-5 }),
  },
  {
    names: ['codegen', 'CodeGenForCausalLM'],
    sign: [(e) => stored(e, 'attn.qkv_proj', 'mlp.fc_in'), 'attn.qkv_proj and mlp.fc_in'],
    known: () => ({ refused: 'CodeGen lays q, k and v out in four parts, which is not built' }),
  },
  {
    names: ['phimoe', 'PhimoeForCausalLM', 'PhiMoEForCausalLM'],
    sign: [(e) => has(e, 'input_jitter_noise'), 'input_jitter_noise'],
    known: () => ({ refused: 'Phi-3.5-MoE chooses experts by SparseMixer, which is not built' }),
  },
  {
    names: ['gemma'],
    sign: [(e) => gatedByGelu(e) && storedGains(e) === 'gains minus one', 'a gate of gelu and norms whose weights lie around 0'],
    known: () => gemma,
  },
  {
    names: ['llama'],
    sign: [(e) => gatedByGelu(e) && storedGains(e) === 'gains', 'norms whose weights lie around 1'],
    known: () => ({ offset: 0 }),
  },
];

export interface Recognised extends Known {
  /** Why it is taken for one of them. */
  readonly because: string;
}

export function recognise(e: Evidence): Recognised {
  const stored = recogniseGguf(e);
  if (stored) return stored;
  const named = families.find(({ names }) => e.isNamed(names));
  if (named) return { ...named.known(e), because: `it is ${named.names[0]}` };
  const signed = families.find(({ sign }) => sign?.[0](e));
  return signed ? { ...signed.known(e), because: `${signed.sign?.[1]} are ${signed.names[0]}'s` } : { because: '' };
}

/** Parts of names that families go by whose pairs are neighbours. */
const TURNS_NEIGHBOURS = /helium|cohere|ernie_?4_?5|gpt_?j/i;

/** Which pairs RoPE turns where nothing says it: by what the name sounds like, by defaults that only Helium has, or as most do. */
export function likelyPairs(e: Evidence): { readonly interleaved: boolean; readonly because: string } {
  if (isGguf(e)) return likelyGgufPairs(e);
  const sounds = e.names.find((name) => TURNS_NEIGHBOURS.test(name));
  if (sounds) return { interleaved: true, because: `"${sounds}" sounds like a family that does` };
  const { raw } = e.config;
  const theta = e.config.rope(undefined, null).theta;
  if (raw.rms_norm_eps === 1e-8 && theta === 1e5 && has(e, 'mlp_bias'))
    return { interleaved: true, because: "rms_norm_eps 1e-8 beside θ 100000 and mlp_bias are Helium's, which does" };
  return { interleaved: false, because: 'it is so in Llama and most others; nothing in the files says it' };
}
