import { namedEncoders } from '../../architectures/encoders.js';
import { architectures, bindArchitecture } from '../../architectures/registry.js';
import { checkAttention } from './attention.js';
import { ConfigDocument, type Issue } from './document.js';
import { checkNumbers } from './numbers.js';
import { checkRecurrent } from './recurrent.js';
import { checkRope } from './rope.js';
import { checkVocabulary } from './vocabulary.js';
import { checkWeights, type WeightHeaders } from './weights.js';

/** What lies beside a config.json. */
export interface Neighbours {
  /** Ids of tokenizer.json (largest + 1), null when there is none. */
  readonly tokenizer: number | null;
  readonly weights: WeightHeaders | null;
  /** What the norms of the first block store, which tells families apart that nobody names; absent when they were not read. */
  readonly values?: ReadonlyMap<string, Float32Array> | null;
}

/** What becomes of a family that is known by no name: it is inferred from its tensors, when they lie beside it. */
function unnamed(config: ConfigDocument, named: readonly string[], { weights, values }: Neighbours): string {
  const quoted = named.map((name) => JSON.stringify(name)).join(', ');
  if (weights === null)
    return `Model Lab does not know ${quoted} by name; with its weights beside it, it finds out whether they say how to run it.`;
  const tensors = {
    shape: (name: string) => weights.get(name)?.shape ?? null,
    names: () => weights.keys(),
    ...(values && { values }),
  };
  try {
    const { architecture } = bindArchitecture(config.json, tensors);
    const assumed = architecture.inferred?.filter((inference) => inference.assumed).map(({ what }) => what) ?? [];
    return `Model Lab does not know ${quoted} by name, and runs it as its tensors and this file say${assumed.length > 0 ? `; assumed: ${assumed.join('; ')}` : ''}.`;
  } catch (error) {
    return (error as Error).message;
  }
}

function family(config: ConfigDocument, beside: Neighbours): readonly Issue[] {
  const type = config.value('model_type');
  const named = [type, config.value('architectures')].flat().filter((name): name is string => typeof name === 'string');
  if (named.length === 0 || [...architectures, ...namedEncoders].some(({ names }) => named.some((name) => names.includes(name))))
    return [];
  const message = unnamed(config, named, beside);
  return config.issue([typeof type === 'string' ? 'model_type' : 'architectures'], 'information', 'family-not-run', message);
}

/** Values of a model’s config.json that contradict each other or what lies beside it; none for any other JSON. */
export function checkConfig(text: string, beside: Neighbours): readonly Issue[] {
  const { tokenizer, weights } = beside;
  const config = ConfigDocument.parse(text);
  if (!config) return [];
  return [
    ...checkNumbers(config),
    ...checkAttention(config),
    ...checkRope(config),
    ...checkRecurrent(config),
    ...checkVocabulary(config, tokenizer),
    ...checkWeights(config, weights),
    ...family(config, beside),
  ].toSorted((a, b) => a.start - b.start);
}
