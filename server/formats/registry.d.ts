import type { Checkpoint, Format } from './checkpoint.js';
export declare const formats: readonly Format[];
/** The format of a file by its name and first bytes, or null. */
export declare const formatOf: (path: string, firstBytes: Uint8Array) => Format | null;
/** Opens a Hugging Face folder or a model file. Reads headers only. Throws coded errors with file and offset. */
export declare function openCheckpoint(path: string): Promise<Checkpoint>;
