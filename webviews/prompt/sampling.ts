import type { Sampling } from '../../server/protocol/models.js';

/** The fields as typed; empty means the model's own value. */
export interface SamplingText {
  readonly temperature: string;
  readonly topK: string;
  readonly topP: string;
  readonly seed: string;
  readonly maxTokens: string;
}

export const UNCHANGED: SamplingText = { temperature: '', topK: '', topP: '', seed: '', maxTokens: '' };
export const DEFAULT_MAX_TOKENS = 64;

interface Field {
  readonly key: keyof SamplingText;
  readonly label: string;
  readonly accepts: (value: number) => boolean;
  readonly range: string;
}

const whole = (least: number) => (value: number) => Number.isInteger(value) && value >= least;

export const FIELDS: readonly Field[] = [
  { key: 'temperature', label: 'Temperature', accepts: (value) => value >= 0 && value <= 10, range: '0 (greedy) to 10' },
  { key: 'topK', label: 'Top-k', accepts: whole(1), range: 'a whole number from 1' },
  { key: 'topP', label: 'Top-p', accepts: (value) => value > 0 && value <= 1, range: 'above 0, up to 1' },
  { key: 'seed', label: 'Seed', accepts: whole(0), range: 'a whole number from 0' },
  { key: 'maxTokens', label: 'New tokens', accepts: whole(0), range: 'a whole number from 0' },
];

/** What is wrong with a field, or null. */
export function problemOf({ label, accepts, range }: Field, text: string): string | null {
  if (text.trim() === '') return null;
  const value = Number(text);
  return Number.isFinite(value) && accepts(value) ? null : `${label}: ${range}`;
}

/** The fields over the model's own sampling; a field that cannot be used counts as empty. */
export function readSampling(text: SamplingText, own: Sampling): { readonly sampling: Sampling; readonly maxTokens: number } {
  const read = (key: keyof SamplingText): number | null => {
    const field = FIELDS.find((known) => known.key === key);
    return field && text[key].trim() !== '' && problemOf(field, text[key]) === null ? Number(text[key]) : null;
  };
  return {
    sampling: {
      temperature: read('temperature') ?? own.temperature,
      topK: read('topK') ?? own.topK,
      topP: read('topP') ?? own.topP,
      seed: read('seed') ?? own.seed,
    },
    maxTokens: read('maxTokens') ?? DEFAULT_MAX_TOKENS,
  };
}

/** The model's own values, shown in the empty fields. */
export function placeholders(own: Sampling | null): SamplingText {
  const shown = (value: number | null | undefined, otherwise: string) =>
    value === null || value === undefined ? otherwise : String(value);
  return {
    temperature: shown(own?.temperature, ''),
    topK: shown(own?.topK, 'all'),
    topP: shown(own?.topP, '1'),
    seed: shown(own?.seed, 'random'),
    maxTokens: String(DEFAULT_MAX_TOKENS),
  };
}
