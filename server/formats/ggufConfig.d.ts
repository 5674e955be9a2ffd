import type { TensorEntry } from './checkpoint.js';
import type { GgufHeader } from './ggufHeader.js';

type Config = Record<string, unknown>;
type Tensors = ReadonlyMap<string, TensorEntry>;
/**
 * config.json as Hugging Face would have written it, from GGUF metadata and tensor shapes. Names of GGUF keys:
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Of architectures unknown here only `model_type` is told.
 */
export declare function configOfGguf(header: GgufHeader, tensors: Tensors, file: string): Config;
