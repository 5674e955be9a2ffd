import type { Architecture } from '../graph/architecture.js';
import { ConfigReader } from '../graph/config.js';
import type { BoundArchitecture } from '../graph/segment.js';
import type { TensorTable } from '../graph/segmentBuilder.js';
import { LabError } from '../protocol/errors.js';
import { chatglm3 } from './chatglm3.js';
import { deepseekV2 } from './deepseekV2.js';
import { deepseekV3 } from './deepseekV3.js';
import { falconH1 } from './falconH1.js';
import { falconMamba } from './falconMamba.js';
import { gemma2 } from './gemma2.js';
import { gemma3 } from './gemma3.js';
import { glm } from './glm.js';
import { glm4 } from './glm4.js';
import { gpt2 } from './gpt2.js';
import { gptNeox } from './gptNeox.js';
import { gptOss } from './gptOss.js';
import { inferArchitecture } from './inferred/infer.js';
import { jamba } from './jamba.js';
import { llama } from './llama.js';
import { mamba } from './mamba.js';
import { mamba2 } from './mamba2.js';
import { megalodon } from './megalodon.js';
import { mistral } from './mistral.js';
import { mixtral } from './mixtral.js';
import { nsa } from './nsa.js';
import { phi3 } from './phi3.js';
import { qwen2 } from './qwen2.js';
import { qwen3 } from './qwen3.js';
import { qwen3Moe } from './qwen3Moe.js';
import { qwen3Next } from './qwen3Next.js';
import { recurrentGemma } from './recurrentGemma.js';
import { rwkv4 } from './rwkv4.js';
import { rwkv5 } from './rwkv5.js';
import { rwkv6 } from './rwkv6.js';
import { rwkv7 } from './rwkv7.js';
import { tttLinear } from './tttLinear.js';
import { tttMlp } from './tttMlp.js';
import { xlstm } from './xlstm.js';
import { zamba2 } from './zamba2.js';

/** One line a family. */
export const architectures: readonly Architecture[] = [
  gpt2,
  llama,
  mistral,
  qwen2,
  qwen3,
  gemma3,
  gemma2,
  gptNeox,
  phi3,
  glm,
  glm4,
  chatglm3,
  mixtral,
  qwen3Moe,
  gptOss,
  deepseekV2,
  deepseekV3,
  mamba,
  falconMamba,
  mamba2,
  rwkv4,
  rwkv5,
  rwkv6,
  rwkv7,
  jamba,
  recurrentGemma,
  falconH1,
  qwen3Next,
  zamba2,
  xlstm,
  tttLinear,
  tttMlp,
  megalodon,
  nsa,
];

const noConfig = () =>
  new LabError({
    code: 'CONFIG_MISSING',
    message: 'There is no config.json beside these weights.',
    hint: 'Put the config.json of the model into the same folder, then open it again.',
  });

const noAnchor = (architecture: Architecture) =>
  new LabError({
    code: 'WEIGHT_MISSING',
    message: `No tensor ${[architecture.anchor].flat().join(' or ')} under any of the prefixes ${architecture.prefixes.map((p) => `"${p}"`).join(', ')}.`,
    hint: 'The file is incomplete, or its architecture is another one than its config says.',
  });

type Raw = Readonly<Record<string, unknown>>;

const nested = (config: Raw): Raw | null => {
  const text = config.text_config;
  return typeof text === 'object' && text !== null ? (text as Raw) : null;
};

/** The part that tells of the decoder. */
const textOf = (config: Raw): Raw => (config.hidden_size === undefined ? (nested(config) ?? config) : config);

const namesOf = (config: Raw): string[] =>
  [config.model_type, config.architectures].flat().filter((name): name is string => typeof name === 'string');

/** Which family a config names: `model_type` first, then `architectures`; of a multimodal model the part in `text_config`. Null: none that is known. */
function findArchitecture(config: Raw): { readonly architecture: Architecture; readonly config: Raw } | null {
  for (const candidate of [config, nested(config)])
    for (const name of candidate ? namesOf(candidate) : []) {
      const architecture = architectures.find((a) => a.names.includes(name));
      if (candidate && architecture) return { architecture, config: candidate };
    }
  return null;
}

/** Whether the family of a config is known by name. */
export const isNamed = (raw: Raw | null): boolean => raw !== null && findArchitecture(raw) !== null;

/**
 * Finds the family, reads its config and the prefix of its tensors; a decoder that no name is known for is inferred from both.
 * Errors: CONFIG_*, ARCHITECTURE_UNKNOWN, WEIGHT_MISSING.
 */
export function bindArchitecture(raw: Raw | null, tensors: TensorTable): BoundArchitecture {
  if (raw === null) throw noConfig();
  const found = findArchitecture(raw);
  if (!found) return inferArchitecture(textOf(raw), namesOf(raw), tensors);
  const { architecture, config } = found;
  const anchors = [architecture.anchor].flat();
  const prefix = architecture.prefixes.find((p) => anchors.some((anchor) => tensors.shape(p + anchor) !== null));
  if (prefix === undefined && !architecture.names.includes(String(config.model_type)))
    return inferArchitecture(textOf(raw), namesOf(raw), tensors); // a class of that name, but tensors of another
  if (prefix === undefined) throw noAnchor(architecture);
  return { architecture, config: architecture.config(new ConfigReader(config), tensors), tensors, prefix };
}
