import { architectures } from '../../architectures/registry.js';
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
}

function family(config: ConfigDocument): readonly Issue[] {
  const type = config.value('model_type');
  const named = [type, config.value('architectures')].flat().filter((name): name is string => typeof name === 'string');
  if (named.length === 0 || architectures.some(({ names }) => named.some((name) => names.includes(name)))) return [];
  const message = `Model Lab does not run ${named.map((name) => JSON.stringify(name)).join(', ')} (it runs ${architectures.map(({ id }) => id).join(', ')}); its weights can be inspected.`;
  return config.issue([typeof type === 'string' ? 'model_type' : 'architectures'], 'information', 'family-not-run', message);
}

/** Values of a model’s config.json that contradict each other or what lies beside it; none for any other JSON. */
export function checkConfig(text: string, { tokenizer, weights }: Neighbours): readonly Issue[] {
  const config = ConfigDocument.parse(text);
  if (!config) return [];
  return [
    ...checkNumbers(config),
    ...checkAttention(config),
    ...checkRope(config),
    ...checkRecurrent(config),
    ...checkVocabulary(config, tokenizer),
    ...checkWeights(config, weights),
    ...family(config),
  ].toSorted((a, b) => a.start - b.start);
}
