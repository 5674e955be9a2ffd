import { UNNAMED } from '../../protocol/models.js';
import type { Evidence } from './evidence.js';
import type { Known } from './unsaid.js';

/** What llama.cpp's graph of an architecture does and no metadata say. */
interface Graph
  extends Pick<
    Known,
    'scaledEmbedding' | 'logits' | 'normalisesExperts' | 'fullLayersTurn' | 'period' | 'quietEvery' | 'requires'
  > {
  readonly act: string;
  /** LLAMA_ROPE_TYPE_NORM; the others are NEOX. */
  readonly interleaved: boolean;
}

const silu: Graph = { act: 'silu', interleaved: false };
const pairs: Graph = { act: 'silu', interleaved: true };
const gelu: Graph = { act: 'gelu_pytorch_tanh', interleaved: false };

/** Every fourth layer sees everything and does not turn. */
const quietFourth = { period: 4, fullLayersTurn: false, requires: ['sliding_window'] } as const;

/** Architectures by their names in GGUF; src/models/*.cpp and llama_model_rope_type of llama.cpp. */
const graphs: Readonly<Record<string, Graph>> = {
  arcee: { act: 'relu2', interleaved: true },
  cohere2: { ...pairs, logits: 'times', ...quietFourth },
  'command-r': { ...pairs, logits: 'times' },
  dream: silu,
  ernie4_5: pairs,
  exaone4: { ...silu, ...quietFourth },
  falcon: gelu,
  gemma: { ...gelu, scaledEmbedding: true },
  gemma2: {
    ...gelu,
    scaledEmbedding: true,
    period: 2,
    fullLayersTurn: true,
    requires: ['attn_logit_softcapping', 'final_logit_softcapping', 'sliding_window'],
  },
  gptneox: gelu,
  granite: { ...pairs, logits: 'over' },
  granitemoe: { ...pairs, logits: 'over', normalisesExperts: true },
  internlm2: pairs,
  llama: { ...pairs, normalisesExperts: true },
  nemotron: { act: 'relu2', interleaved: false },
  olmo2: silu,
  olmoe: { ...silu, normalisesExperts: false },
  phi2: gelu,
  phi3: silu,
  qwen2moe: { ...silu, normalisesExperts: false },
  qwen3moe: { ...silu, normalisesExperts: true },
  seed_oss: silu,
  smollm3: { ...pairs, quietEvery: 4 },
  stablelm: silu,
  starcoder2: gelu,
  xverse: pairs,
};

/** Of an architecture that llama.cpp has, and whose graph nobody wrote down here, which pairs turn: llama_model_rope_type. */
const TURNS_NEIGHBOURS =
  /llama|deci|baichuan|starcoder$|internlm|minicpm|xverse|command|cohere|olmo$|arctic|deepseek|plm|chatglm|granite|chameleon|bailingmoe$|smollm|arcee|ernie|mistral|mixtral/i;

export const isGguf = (e: Evidence): boolean => e.names[0]?.startsWith(UNNAMED) === true;
export const architectureOf = (e: Evidence): string => (e.names[0] ?? '').slice(UNNAMED.length);

/** What is known of a GGUF by the name of its architecture. Its converter has put norms and rows as its graph takes them. */
export function recogniseGguf(e: Evidence): (Known & { readonly because: string }) | null {
  if (!isGguf(e)) return null;
  const name = architectureOf(e);
  const graph = Object.hasOwn(graphs, name) ? graphs[name] : undefined;
  const offset = 0;
  if (!graph) return { offset, because: '' };
  // the 27B model alone scales by another number, which no key carries
  const refused =
    name === 'gemma2' && e.layers === 46 ? { refused: 'Gemma 2 27B scales q·k by a number that a GGUF does not carry' } : {};
  return { ...graph, ...refused, offset, because: `llama.cpp's graph of ${name} does so` };
}

/** Which pairs turn where only the name of the architecture could say it. */
export function likelyGgufPairs(e: Evidence): { readonly interleaved: boolean; readonly because: string } {
  const name = architectureOf(e);
  return TURNS_NEIGHBOURS.test(name)
    ? { interleaved: true, because: `"${name}" sounds like an architecture of llama.cpp that does` }
    : { interleaved: false, because: 'it is so in most architectures of llama.cpp that are not Llama; a GGUF does not say it' };
}
