import type { Sampling } from '../../server/protocol/models.js';
/** The fields as typed; empty means the model's own value. */
export interface SamplingText {
  readonly temperature: string;
  readonly topK: string;
  readonly topP: string;
  readonly seed: string;
  readonly maxTokens: string;
}
export declare const UNCHANGED: SamplingText;
export declare const DEFAULT_MAX_TOKENS = 64;
interface Field {
  readonly key: keyof SamplingText;
  readonly label: string;
  readonly accepts: (value: number) => boolean;
  readonly range: string;
}
export declare const FIELDS: readonly Field[];
/** What is wrong with a field, or null. */
export declare function problemOf({ label, accepts, range }: Field, text: string): string | null;
/** The fields over the model's own sampling; a field that cannot be used counts as empty. */
export declare function readSampling(
  text: SamplingText,
  own: Sampling,
): {
  readonly sampling: Sampling;
  readonly maxTokens: number;
};
/** The model's own values, shown in the empty fields. */
export declare function placeholders(own: Sampling | null): SamplingText;
