import type { ConfigDocument, Issue } from './document.js';

/** What each scaling method needs beside its name. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  default: [],
  mrope: [],
  proportional: [],
  linear: ['factor'],
  dynamic: ['factor'],
  yarn: ['factor'],
  longrope: ['short_factor', 'long_factor'],
  su: ['short_factor', 'long_factor'],
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
};

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The tables of RoPE parameters: the one itself, or one for each kind of layer in it. */
function tables(config: ConfigDocument): readonly (readonly string[])[] {
  return ['rope_scaling', 'rope_parameters'].flatMap((key) => {
    const value = config.value(key);
    if (!isTable(value)) return [];
    const nested = Object.keys(value).filter((kind) => isTable(value[kind]));
    return nested.length > 0 ? nested.map((kind) => [key, kind]) : [[key]];
  });
}

function checkTable(config: ConfigDocument, path: readonly string[]): readonly Issue[] {
  const table = config.value(...path) as Readonly<Record<string, unknown>>;
  const typeKey = 'rope_type' in table ? 'rope_type' : 'type';
  const type = table[typeKey] ?? 'default';
  const needs = typeof type === 'string' && Object.hasOwn(NEEDS, type) ? NEEDS[type] : undefined;
  const name = path.join('.');
  if (!needs) {
    const message = `RoPE type ${JSON.stringify(type)} is not known; known are ${Object.keys(NEEDS).join(', ')}.`;
    return config.issue([...path, typeKey], 'warning', 'rope-type-unknown', message);
  }
  const missing = needs.filter((key) => table[key] === undefined && config.value(key) === undefined);
  const absent = `RoPE of type ${type} needs ${missing.join(', ')} in ${name}.`;
  const factor = table.factor;
  const shrinks = `factor ${factor} in ${name} is below 1: it would shorten the context.`;
  return [
    ...(missing.length > 0 ? config.issue(path, 'error', 'rope-key-missing', absent) : []),
    ...(typeof factor === 'number' && factor < 1
      ? config.issue([...path, 'factor'], 'error', 'rope-factor-below-one', shrinks)
      : []),
    ...originalContext(config, path, type as string),
    ...bands(config, path),
  ];
}

function originalContext(config: ConfigDocument, path: readonly string[], type: string): readonly Issue[] {
  const original = config.number(...path, 'original_max_position_embeddings');
  const context = config.size('max_position_embeddings');
  if (original === null || !context || original <= context.value || type === 'default') return [];
  const message = `original_max_position_embeddings ${original} is more than max_position_embeddings ${context.value}: scaling extends a context, it cannot have been longer before.`;
  return config.issue([...path, 'original_max_position_embeddings'], 'warning', 'original-context-exceeds-context', message);
}

function bands(config: ConfigDocument, path: readonly string[]): readonly Issue[] {
  const low = config.number(...path, 'low_freq_factor');
  const high = config.number(...path, 'high_freq_factor');
  if (low === null || high === null || low < high) return [];
  return config.issue(
    [...path, 'low_freq_factor'],
    'error',
    'rope-band-empty',
    `low_freq_factor ${low} must be below high_freq_factor ${high}.`,
  );
}

/** Old and new spelling of the same base. */
function bases(config: ConfigDocument): readonly Issue[] {
  const old = config.number('rope_theta');
  const now = config.number('rope_parameters', 'rope_theta');
  if (old === null || now === null || old === now) return [];
  const message = `rope_theta is ${old} here and ${now} in rope_parameters; which one is used depends on the version that reads it.`;
  return config.issue(['rope_theta'], 'warning', 'rope-theta-disagrees', message);
}

/** Contradictions in the parameters of RoPE. */
export const checkRope = (config: ConfigDocument): readonly Issue[] => [
  ...tables(config).flatMap((path) => checkTable(config, path)),
  ...bases(config),
];
