import type { Checkpoint } from './checkpoint.js';
import { type FormatErrorCode } from './errors.js';
import { type JsonDocument } from './json.js';
export type ModelFolder = Pick<Checkpoint, 'config' | 'generation' | 'tokenizer'>;
/** What a folder says beside its weights; nulls for what it does not have. */
export declare function readModelFolder(folder: string, names?: ReadonlySet<string>): Promise<ModelFolder>;
/** Names in a folder; links count, since the Hugging Face cache consists of them. */
export declare function listFolder(folder: string): Promise<ReadonlySet<string>>;
export declare const readJson: (path: string, code: FormatErrorCode) => Promise<JsonDocument>;
