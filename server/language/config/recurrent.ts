import type { ConfigDocument, Issue } from './document.js';

const isFamily = (config: ConfigDocument, family: RegExp): boolean =>
  [config.value('model_type'), config.value('architectures')]
    .flat()
    .some((name) => typeof name === 'string' && family.test(name));

function mambaWidth(config: ConfigDocument): readonly Issue[] {
  const hidden = config.size('hidden_size', 'd_model');
  const expand = config.size('expand');
  const inner = config.size('intermediate_size');
  if (!isFamily(config, /^(?:falcon_)?mamba$|^(?:Falcon)?Mamba(?:ForCausalLM|Model)$/) || !hidden || !expand || !inner) return [];
  if (hidden.value * expand.value === inner.value) return [];
  const message = `intermediate_size ${inner.value} is not expand · ${hidden.key} = ${expand.value} · ${hidden.value} = ${expand.value * hidden.value}.`;
  return config.issue(['intermediate_size'], 'error', 'mamba-inner-width', message);
}

function mamba2Heads(config: ConfigDocument): readonly Issue[] {
  const hidden = config.size('hidden_size');
  const expand = config.size('expand');
  const heads = config.size('num_heads');
  const width = config.size('head_dim');
  if (!isFamily(config, /^mamba2$|^Mamba2/) || !hidden || !expand || !heads || !width) return [];
  const inner = hidden.value * expand.value;
  if (heads.value * width.value === inner) return [];
  const message = `num_heads · head_dim = ${heads.value} · ${width.value} = ${heads.value * width.value} is not expand · hidden_size = ${inner}.`;
  return config.issue(['num_heads'], 'error', 'mamba2-heads', message);
}

function stepRank(config: ConfigDocument): readonly Issue[] {
  const rank = config.value('time_step_rank');
  const hidden = config.size('hidden_size', 'd_model');
  if (rank === undefined || rank === 'auto' || !hidden) return [];
  if (!Number.isInteger(rank) || (rank as number) <= 0)
    return config.issue(
      ['time_step_rank'],
      'error',
      'time-step-rank',
      `time_step_rank is ${JSON.stringify(rank)}; it must be "auto" or a positive whole number.`,
    );
  if ((rank as number) <= hidden.value) return [];
  const message = `time_step_rank ${rank} is more than ${hidden.key} ${hidden.value}: a bottleneck wider than its input (auto would be ${Math.ceil(hidden.value / 16)}).`;
  return config.issue(['time_step_rank'], 'warning', 'time-step-rank', message);
}

function rwkvHeads(config: ConfigDocument): readonly Issue[] {
  const hidden = config.size('hidden_size');
  const heads = config.size('num_heads', 'num_attention_heads');
  const width = config.size('head_dim');
  if (!isFamily(config, /^rwkv[567]$|^RWKV7/i) || !hidden || !heads || !width || heads.value * width.value === hidden.value)
    return [];
  const message = `${heads.key} · head_dim = ${heads.value} · ${width.value} = ${heads.value * width.value} is not hidden_size ${hidden.value}.`;
  return config.issue([heads.key], 'error', 'rwkv-heads', message);
}

function tttHeads(config: ConfigDocument): readonly Issue[] {
  const hidden = config.size('hidden_size');
  const heads = config.size('num_heads', 'num_attention_heads');
  if (!isFamily(config, /^ttt_(?:linear|mlp)$|^TTT/) || !hidden || !heads || hidden.value % (2 * heads.value) === 0) return [];
  const message = `hidden_size ${hidden.value} over ${heads.key} ${heads.value} is no even head width, which RoPE needs.`;
  return config.issue([heads.key], 'error', 'ttt-heads', message);
}

function megalodonParts(config: ConfigDocument): readonly Issue[] {
  if (!isFamily(config, /^megalodon$|^Megalodon/)) return [];
  const divides = (whole: readonly string[], parts: readonly string[]): readonly Issue[] => {
    const [total, part] = [config.size(...whole), config.size(...parts)];
    if (!total || !part || total.value % part.value === 0) return [];
    const message = `${total.key} ${total.value} is not a multiple of ${part.key} ${part.value}.`;
    return config.issue([part.key], 'error', 'megalodon-parts', message);
  };
  return [
    ...divides(['z_dim'], ['num_heads']),
    ...divides(['value_dim'], ['num_heads']),
    ...divides(['hidden_size'], ['num_groups', 'norm_num_groups']),
  ];
}

/** Contradictions in configs of Mamba, RWKV, TTT and Megalodon. */
export const checkRecurrent = (config: ConfigDocument): readonly Issue[] =>
  [mambaWidth, mamba2Heads, stepRank, rwkvHeads, tttHeads, megalodonParts].flatMap((check) => check(config));
