import type { ConfigDocument, Issue } from './document.js';

export interface WeightHeader {
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** Headers of the weights beside the config, by name in the file. */
export type WeightHeaders = ReadonlyMap<string, WeightHeader>;

/** Families whose tensors have the shapes below; others fuse, gate or share projections in ways of their own. */
const PLAIN_ATTENTION = new Set(['llama', 'mistral', 'qwen2', 'qwen3', 'gemma', 'gemma2', 'gemma3_text']);

/** One axis of a tensor that a key fixes; `suffix` matches the end of the tensor’s name. */
interface Expectation {
  readonly suffix: RegExp;
  readonly axis: number;
  readonly expected: number;
  /** Key whose value is marked. */
  readonly key: string;
  /** How the number comes about. */
  readonly formula: string;
}

interface Size {
  readonly key: string;
  readonly value: number;
}

const EMBEDDING = /(?:^|\.)(?:embed_tokens|embeddings?|wte)\.weight$/;

const is = (suffix: RegExp, axis: number, size: Size | null): readonly Expectation[] =>
  size ? [{ suffix, axis, expected: size.value, key: size.key, formula: `${size.key} ${size.value}` }] : [];

const isTimes = (suffix: RegExp, size: Size | null, width: number | null): readonly Expectation[] => {
  if (!size || width === null) return [];
  const expected = size.value * width;
  return [
    { suffix, axis: 0, expected, key: size.key, formula: `${size.key} · head width = ${size.value} · ${width} = ${expected}` },
  ];
};

function ofAttention(config: ConfigDocument, hidden: Size | null): readonly Expectation[] {
  const heads = config.size('num_attention_heads');
  const width = config.size('head_dim')?.value ?? (hidden && heads ? hidden.value / heads.value : null);
  const inner = config.size('intermediate_size');
  return [
    ...is(/(?:^|\.)lm_head\.weight$/, 0, config.size('vocab_size')),
    ...isTimes(/\.self_attn\.q_proj\.weight$/, heads, width),
    ...isTimes(/\.self_attn\.[kv]_proj\.weight$/, config.size('num_key_value_heads') ?? heads, width),
    ...is(/\.mlp\.(?:gate|up)_proj\.weight$/, 0, inner),
    ...is(/\.mlp\.down_proj\.weight$/, 1, inner),
  ];
}

const ofMamba = (config: ConfigDocument): readonly Expectation[] => [
  ...is(/\.mixer\.A_log$/, 1, config.size('state_size')),
  ...is(/\.mixer\.dt_proj\.weight$/, 1, config.size('time_step_rank')),
  ...is(/\.mixer\.conv1d\.weight$/, 2, config.size('conv_kernel')),
  ...is(/\.mixer\.out_proj\.weight$/, 1, config.size('intermediate_size')),
];

function expectations(config: ConfigDocument): readonly Expectation[] {
  const hidden = config.size('hidden_size', 'n_embd', 'd_model');
  const type = String(config.value('model_type'));
  return [
    ...is(EMBEDDING, 0, config.size('vocab_size')),
    ...is(EMBEDDING, 1, hidden),
    ...(PLAIN_ATTENTION.has(type) ? ofAttention(config, hidden) : []),
    ...(type === 'mamba' ? ofMamba(config) : []),
  ];
}

/** Weights that are stored packed or in experts have other shapes than their logical ones. */
const isPacked = (config: ConfigDocument): boolean => config.node('quantization_config') !== undefined;

function shapes(config: ConfigDocument, weights: WeightHeaders): readonly Issue[] {
  if (isPacked(config)) return [];
  const names = [...weights.keys()];
  return expectations(config).flatMap(({ suffix, axis, expected, key, formula }) => {
    const wrong = names.filter((name) => suffix.test(name) && weights.get(name)?.shape[axis] !== expected);
    const [first] = wrong;
    if (first === undefined) return [];
    const { shape } = weights.get(first) as WeightHeader;
    const more = wrong.length > 1 ? `, and ${wrong.length - 1} more` : '';
    const message = `${first} is [${shape.join(', ')}]${more}: axis ${axis} should be ${formula}.`;
    return config.issue([key], 'error', 'shape-contradicts-weights', message);
  });
}

const BLOCK = /(?:^|\.)(?:layers|h|blocks)\.(\d+)\./;

function layers(config: ConfigDocument, weights: WeightHeaders): readonly Issue[] {
  const declared = config.size('num_hidden_layers', 'n_layer');
  const indices = [...weights.keys()].flatMap((name) => BLOCK.exec(name)?.[1] ?? []).map(Number);
  const stored = Math.max(-1, ...new Set(indices)) + 1;
  const drafts = config.number('num_nextn_predict_layers') ?? 0;
  if (!declared || stored === 0 || stored === declared.value || stored === declared.value + drafts) return [];
  const message = `${declared.key} is ${declared.value}, but the weights have ${stored} blocks.`;
  return config.issue([declared.key], stored < declared.value ? 'error' : 'warning', 'layers-contradict-weights', message);
}

function tied(config: ConfigDocument, weights: WeightHeaders): readonly Issue[] {
  const head = weights.get('lm_head.weight');
  const hasHead = [...weights.keys()].some((each) =>
    /(?:^|\.)(?:lm_head|embed_out|head|output|output_layer)\.weight$/.test(each),
  );
  const name = [...weights.keys()].find((each) => EMBEDDING.test(each));
  const embedding = name === undefined ? undefined : weights.get(name);
  if (config.value('tie_word_embeddings') === false && !hasHead && embedding)
    return config.issue(
      ['tie_word_embeddings'],
      'error',
      'head-missing',
      'tie_word_embeddings is false, but the weights have no lm_head.weight to use instead.',
    );
  if (config.value('tie_word_embeddings') !== true || !head || !embedding) return [];
  const same = head.dtype === embedding.dtype && String(head.shape) === String(embedding.shape);
  const stored = `lm_head.weight ${head.dtype} [${head.shape.join(', ')}] is stored beside ${name} ${embedding.dtype} [${embedding.shape.join(', ')}]`;
  return same
    ? config.issue(
        ['tie_word_embeddings'],
        'information',
        'tied-head-stored',
        `${stored}, though embeddings are tied: it is what says the logits.`,
      )
    : config.issue(['tie_word_embeddings'], 'error', 'tied-head-differs', `${stored}: they cannot be one matrix.`);
}

/** What the config says against what the weights are; `weights` null when there are none beside it. */
export const checkWeights = (config: ConfigDocument, weights: WeightHeaders | null): readonly Issue[] =>
  weights === null ? [] : [shapes, layers, tied].flatMap((check) => check(config, weights));
