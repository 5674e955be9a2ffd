import type { CheckpointFile } from './checkpoint.js';
import { type Declared } from './tensorTable.js';
export interface SafetensorsHeader {
  readonly file: CheckpointFile;
  readonly declared: readonly Declared[];
  readonly metadata: Readonly<Record<string, unknown>>;
}
/**
 * Header of one .safetensors file: u64 length, JSON {name: {dtype, shape, data_offsets}}, data
 * (https://github.com/huggingface/safetensors#format). `index` is the file's place in `Checkpoint.files`.
 */
export declare function readSafetensorsHeader(path: string, index: number): Promise<SafetensorsHeader>;
