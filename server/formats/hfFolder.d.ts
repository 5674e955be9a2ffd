import type { Checkpoint } from './checkpoint.js';
/** Opens a Hugging Face model folder: safetensors, sharded or single, or a lone pytorch_model.bin. Reads headers and JSON only. */
export declare function openModelFolder(folder: string): Promise<Checkpoint>;
/** The whole model when `path` is one of the shards that the index beside it lists, otherwise null. */
export declare function openIfShard(path: string): Promise<Checkpoint | null>;
