/**
 * What every format reader returns: a table of tensors that points into files. Nothing here reads weights; `read` does,
 * by range. Formats that are not Hugging Face's (GGUF, RWKV .pth) present themselves with Hugging Face's tensor names and
 * config keys, so that nothing downstream knows where a model came from.
 */
export interface TensorEntry {
  /** Canonical (Hugging Face) name. */
  readonly name: string;
  /** The name in the file, when it differs. */
  readonly sourceName: string;
  /** As the file spells it: F32, F16, BF16, I8, Q4_K … */
  readonly dtype: string;
  /** Row-major logical shape (GGUF's reversed order already undone). */
  readonly shape: readonly number[];
  /** Index into `Checkpoint.files`. */
  readonly file: number;
  /** Absolute byte offset of the data in that file. */
  readonly offset: number;
  readonly bytes: number;
  /**
   * How the file's rows map to canonical rows, when they are stored in another order: canonical row i is stored row
   * permutation(i). Used by GGUF, which interleaves the rotary halves of q and k. A tensor with one is decoded, never bound in place.
   */
  readonly permuteRows: ((row: number) => number) | null;
  /** The file holds the 2-D `shape` as [cols, rows] (RWKV's low-rank factors, GPT-2 in GGUF). Decoded, never bound in place. */
  readonly transpose: boolean;
  /** Stored value → canonical value, when the file keeps another one (GGUF: 1 + a Gemma norm, −exp of Mamba's A_log). */
  readonly restore: ((value: number) => number) | null;
  /** The values are stored otherwise (ONNX: as varints; codes): what the file holds, and what `beside` does → plain little-endian values. Read whole, never bound in place. */
  readonly unpack: ((stored: Uint8Array, beside: Uint8Array) => Uint8Array<ArrayBuffer>) | null;
  /** Where the scales of the values are stored, which `unpack` takes. */
  readonly beside?: { readonly file: number; readonly offset: number; readonly bytes: number };
}

export interface CheckpointFile {
  /** Absolute path, symlinks resolved (ONNX Runtime refuses links that leave the model's folder). */
  readonly path: string;
  readonly bytes: number;
}

/** Where the tokenizer is: Hugging Face JSON texts, or a GGUF vocabulary in its metadata. */
export type TokenizerSource =
  | {
      readonly kind: 'hf';
      readonly tokenizerJson: string;
      readonly configJson: string | null;
      readonly chatTemplate: string | null;
    }
  | { readonly kind: 'gguf'; readonly metadata: Readonly<Record<string, unknown>> }
  | { readonly kind: 'rwkv_world' };

export interface Checkpoint {
  /** Path as the person named it. */
  readonly path: string;
  readonly name: string;
  /** `safetensors`, `gguf`, `pth`, `onnx`, `npy`. */
  readonly format: string;
  readonly files: readonly CheckpointFile[];
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Format metadata worth showing (GGUF keys, safetensors __metadata__); big arrays abbreviated. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** config.json, or its equivalent made from the file's metadata; null for a lone .safetensors without one. */
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly generation: Readonly<Record<string, unknown>> | null;
  readonly tokenizer: TokenizerSource | null;
  /** How images are prepared: preprocessor_config.json, or processor_config.json. Absent or null: nothing says it. */
  readonly preprocessor?: Readonly<Record<string, unknown>> | null;
}

/** Bytes of all tensors as they are stored. */
export const tensorBytes = ({ tensors }: Pick<Checkpoint, 'tensors'>): number =>
  [...tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);

/** `model_type` of config.json; null when it says none. */
export const modelType = ({ config }: Pick<Checkpoint, 'config'>): string | null =>
  typeof config?.model_type === 'string' ? config.model_type : null;

/** One format: one file. `matches` looks at a name and the first bytes, `open` reads headers only. */
export interface Format {
  readonly id: string;
  /** Extensions with the dot, for pickers and custom editors. */
  readonly extensions: readonly string[];
  /** Files of this format hold arrays to look at and to give to models, and are none themselves. */
  readonly arrays?: boolean;
  matches(path: string, firstBytes: Uint8Array): boolean;
  open(path: string): Promise<Checkpoint>;
}
