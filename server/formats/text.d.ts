/** Strict UTF-8. Throws UTF8_INVALID with the offset of the first bad byte; `base` is where `bytes` start in the file. */
export declare function decodeText(bytes: Uint8Array, file: string, base: number, what: string): string;
