import type { Concept } from '../concept.js';
import { papers } from './papers.js';

/** Families: their transformers classes, and `model_type` and `architectures` in config.json. */
export const families: readonly Concept[] = [
  {
    kind: 'family',
    names: ['gpt2', 'GPT2LMHeadModel', 'GPT2Model'],
    title: 'GPT-2',
    what: 'Learned positions, LayerNorm before each sublayer, multi-head attention with biases, a GELU MLP, tied embeddings. Linear layers are stored transposed.',
    paper: papers.gpt2,
  },
  {
    kind: 'family',
    names: ['llama', 'LlamaForCausalLM', 'LlamaModel'],
    title: 'Llama',
    what: 'RoPE, RMSNorm before each sublayer, grouped-query attention (from Llama 2 70B and Llama 3 on), a SwiGLU MLP, no biases. The pattern most open models follow.',
    paper: papers.llama,
  },
  {
    kind: 'family',
    names: ['mistral', 'MistralForCausalLM', 'MistralModel'],
    title: 'Mistral',
    what: 'Llama with grouped-query attention throughout and, in the first release, a sliding window of 4,096 tokens.',
    paper: papers.mistral,
  },
  {
    kind: 'family',
    names: ['mixtral', 'MixtralForCausalLM'],
    title: 'Mixtral',
    what: 'Mistral whose MLPs are eight experts each, two of them for every token.',
    paper: papers.mixtral,
  },
  {
    kind: 'family',
    names: ['qwen2', 'Qwen2ForCausalLM', 'Qwen2Model'],
    title: 'Qwen2 and Qwen2.5',
    what: 'Llama with biases on q, k and v, and an optional sliding window in the upper layers.',
    paper: papers.qwen2,
  },
  {
    kind: 'family',
    names: ['qwen3', 'Qwen3ForCausalLM', 'Qwen3Model'],
    title: 'Qwen3',
    what: 'Llama with RMSNorm on queries and keys, a head width of its own and no biases.',
    paper: papers.qwen3,
  },
  {
    kind: 'family',
    names: ['gemma2', 'Gemma2ForCausalLM'],
    title: 'Gemma 2',
    what: 'Sliding and global layers in turn, norms before and after each sublayer, soft caps on scores and logits, embeddings scaled by √D.',
    paper: papers.gemma2,
  },
  {
    kind: 'family',
    names: ['gemma3_text', 'gemma3', 'Gemma3ForCausalLM', 'Gemma3TextModel'],
    title: 'Gemma 3',
    what: 'Five sliding layers to one global, each kind with its own RoPE base; normalised queries and keys in place of Gemma 2’s soft caps; norms store the gain minus one.',
    paper: papers.gemma3,
  },
  {
    kind: 'family',
    names: ['deepseek_v2', 'deepseek_v3', 'DeepseekV2ForCausalLM', 'DeepseekV3ForCausalLM'],
    title: 'DeepSeek-V2 and -V3',
    what: 'Multi-head latent attention, which caches one latent a token, and fine-grained experts with shared ones beside them.',
    paper: papers.deepseek3,
  },
  {
    kind: 'family',
    names: ['mamba', 'MambaForCausalLM', 'MambaModel', 'MambaLMHeadModel'],
    title: 'Mamba',
    what: 'No attention: each block is a gated selective state space with a short convolution. Time linear in the text, memory constant.',
    paper: papers.mamba,
  },
  {
    kind: 'family',
    names: ['mamba2', 'Mamba2ForCausalLM'],
    title: 'Mamba-2',
    what: 'Heads with one decay each and a larger state, so that the scan becomes matrix products within chunks.',
    paper: papers.mamba2,
  },
  {
    kind: 'family',
    names: ['rwkv7', 'RWKV7ForCausalLM', 'RWKV7Model'],
    title: 'RWKV-7 "Goose"',
    what: 'Matrix states updated by a generalised delta rule with decay per channel and an in-context learning rate; token shift instead of positions.',
    paper: papers.rwkv7,
  },
  {
    kind: 'family',
    names: ['rwkv', 'rwkv5', 'rwkv6', 'RwkvForCausalLM', 'Rwkv6ForCausalLM'],
    title: 'RWKV-4 to -6',
    what: 'Linear attention with exponential decay: fixed per channel in RWKV-4, matrix states from 5 on, decay that depends on the token in 6.',
    paper: papers.rwkv6,
  },
];
