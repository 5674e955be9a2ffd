import type { ModelInfo } from '../../server/protocol/models.js';
import type { RunDetail } from '../../server/protocol/runs.js';
/** One fact of one model; `size` is what the bar's length stands for. */
export interface Figure {
  readonly name: string;
  readonly text: string;
  readonly size: number | null;
  /** How it is computed. */
  readonly title: string;
}
/** Facts that can be compared whatever the tokenizer and the kind of memory. */
export declare function figures(run: RunDetail, model: ModelInfo | null): readonly Figure[];
interface Surprise {
  readonly perByte: number;
  readonly perUnit: number;
}
/** Bits of the prompt's tokens (but the first) by byte and by UTF-16 unit; null when none has a probability. */
export declare function surpriseOf({ tokenInfos }: Pick<RunDetail, 'tokenInfos'>): Surprise | null;
/** Bytes of all declared state after so many tokens. */
export declare function memoryOf(
  { layers }: Pick<ModelInfo, 'layers'>,
  tokens: number,
): {
  readonly now: number;
  readonly perToken: number;
};
