import { LabError } from '../protocol/errors.js';
import type { RopeParameters } from './blocks/rope.js';

const MOST_LAYERS = 10_000;

type Raw = Readonly<Record<string, unknown>>;

const invalid = (key: string, value: unknown, expected: string) =>
  new LabError({
    code: 'CONFIG_INVALID',
    message: `config.json: ${key} is ${JSON.stringify(value) ?? 'missing'}, expected ${expected}.`,
    hint: `Correct ${key} in config.json; the model's page says what it should be.`,
  });

/** Reads config.json by key, in any of the spellings a family has had, and says which key is wrong when one is. */
export class ConfigReader {
  constructor(readonly raw: Raw) {}

  /** The first key that is present and not null. */
  value(...keys: string[]): unknown {
    return keys.map((key) => this.raw[key]).find((value) => value !== undefined && value !== null) ?? null;
  }

  /** A positive integer; `fallback` when the keys are absent, worked out only then. */
  size(keys: string | readonly string[], fallback?: number | (() => number)): number {
    const value = this.#first(keys) ?? (typeof fallback === 'function' ? fallback() : (fallback ?? null));
    if (!Number.isSafeInteger(value) || (value as number) <= 0) throw invalid(this.#key(keys), value, 'a positive whole number');
    return value as number;
  }

  /** A positive integer for both sides, or one for each: [height, width]. */
  sides(key: string, fallback?: number): readonly [number, number] {
    const value = this.value(key) ?? fallback ?? null;
    const pair = typeof value === 'number' ? [value, value] : value;
    const whole = (side: unknown) => Number.isSafeInteger(side) && (side as number) > 0;
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every(whole))
      throw invalid(key, value, 'a positive whole number, or two');
    return pair as [number, number];
  }

  /** A part of the config that is an object of its own, e.g. vision_config. */
  part(key: string): ConfigReader {
    const value = this.value(key) ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) throw invalid(key, value, 'an object');
    return new ConfigReader(value as Raw);
  }

  /** How many blocks. A number no model has is refused before anything is made for each of them. */
  layers(keys: string | readonly string[], fallback?: number): number {
    const value = this.size(keys, fallback);
    if (value > MOST_LAYERS) throw invalid(this.#key(keys), value, `at most ${MOST_LAYERS}`);
    return value;
  }

  /** A finite number. */
  number(keys: string | readonly string[], fallback?: number): number {
    const value = this.#first(keys, fallback);
    if (typeof value !== 'number' || !Number.isFinite(value)) throw invalid(this.#key(keys), value, 'a number');
    return value;
  }

  optional(...keys: string[]): number | null {
    const value = this.value(...keys);
    if (value === null) return null;
    return this.number(keys);
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.value(key) ?? fallback;
    if (typeof value !== 'boolean') throw invalid(key, value, 'true or false');
    return value;
  }

  /** Refuses a config that asks for what is not built. */
  refuse(key: string, value: unknown): void {
    if (this.raw[key] === value) throw invalid(key, value, 'something else: Model Lab cannot run such a model yet');
  }

  /** One of `allowed`. */
  word(keys: string | readonly string[], allowed: readonly string[], fallback?: string): string {
    const value = this.#first(keys, fallback);
    if (typeof value !== 'string' || !allowed.includes(value))
      throw invalid(this.#key(keys), value, `one of ${allowed.join(', ')}`);
    return value;
  }

  /** A part of a whole: `whole` must be divisible. */
  divides(name: string, part: number, whole: number): number {
    if (whole % part !== 0) throw invalid(name, part, `a divisor of ${whole}`);
    return whole / part;
  }

  /** A list of numbers, e.g. mlp_only_layers. */
  numbers(key: string): readonly number[] | null {
    const value = this.value(key);
    if (value !== null && !(Array.isArray(value) && value.every(Number.isFinite))) throw invalid(key, value, 'a list of numbers');
    return value;
  }

  /** A list of words that may be shorter than the layers, e.g. block_types. */
  words(key: string): readonly string[] | null {
    const value = this.value(key);
    if (value !== null && !(Array.isArray(value) && value.length > 0 && value.every((v) => typeof v === 'string')))
      throw invalid(key, value, 'a list of words');
    return value;
  }

  /** One string a layer, e.g. layer_types. */
  perLayer(key: string, layers: number): readonly string[] | null {
    const value = this.value(key);
    if (value === null) return null;
    if (!Array.isArray(value) || value.length !== layers || value.some((v) => typeof v !== 'string'))
      throw invalid(key, value, `${layers} words, one a layer`);
    return value;
  }

  /** `rope_parameters` (new) or `rope_theta` + `rope_scaling` (old); `kind` picks the entry of a per-layer-type table. */
  rope(theta = 10_000, kind: string | null = null): RopeParameters {
    const isTable = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);
    const parameters = this.value('rope_parameters');
    const nested = isTable(parameters) && kind !== null ? parameters[kind] : null;
    const table = isTable(nested)
      ? nested
      : isTable(parameters) && kind === null
        ? parameters
        : (this.value('rope_scaling') ?? {});
    if (!isTable(table)) throw invalid('rope_scaling', table, 'an object');
    const read = (key: string): number | null => {
      const value = table[key] ?? null;
      if (typeof value === 'boolean') return value ? 1 : 0;
      if (value !== null && (typeof value !== 'number' || !Number.isFinite(value)))
        throw invalid(`rope.${key}`, value, 'a number');
      return value;
    };
    const list = (key: string): readonly number[] | null => {
      const value = table[key] ?? null;
      if (value !== null && !(Array.isArray(value) && value.every(Number.isFinite)))
        throw invalid(`rope.${key}`, value, 'numbers');
      return value;
    };
    return {
      list,
      type: String(table.rope_type ?? table.type ?? 'default'),
      theta: read('rope_theta') ?? this.number('rope_theta', theta),
      get: (key) => (key === 'original_max_position_embeddings' ? this.optional(key) : null) ?? read(key),
      context: this.optional('max_position_embeddings', 'n_positions'),
    };
  }

  #first(keys: string | readonly string[], fallback?: unknown): unknown {
    return this.value(...(typeof keys === 'string' ? [keys] : keys)) ?? fallback ?? null;
  }

  #key = (keys: string | readonly string[]) =>
    typeof keys === 'string' ? keys : (keys.find((k) => this.raw[k] !== undefined) ?? (keys[0] as string));
}
