import { type Declared } from './tensorTable.js';

interface Presented {
  readonly declared: readonly Declared[];
  readonly config: Readonly<Record<string, unknown>>;
}
/**
 * An RWKV .pth as Hugging Face would have it, or null when the tensors are not RWKV's. Versions before 7 keep their names and say
 * only which they are. Throws TENSOR_MISSING when a size cannot be told.
 */
export declare function presentRwkv(declared: readonly Declared[], file: string): Presented | null;
