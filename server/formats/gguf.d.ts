import type { Format } from './checkpoint.js';
/** GGUF (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), presented with Hugging Face's names and config keys. */
export declare const gguf: Format;
