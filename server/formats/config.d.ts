import type { JsonDocument } from './json.js';
/** config.json as a record. Throws CONFIG_INVALID when it is none, or a size in it is negative, fractional or above 2^31 − 1. */
export declare function checkConfig({ value, keyOffsets }: JsonDocument, file: string): Readonly<Record<string, unknown>>;
