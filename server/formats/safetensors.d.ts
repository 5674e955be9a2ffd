import type { Format } from './checkpoint.js';
/** A .safetensors file: with the config and tokenizer of its folder when there are any; the whole model when it is a shard of one. */
export declare const safetensors: Format;
