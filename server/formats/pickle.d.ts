import { type Value } from './pickleValues.js';
/** Bounds on what a small file may make of itself: a tensor takes about 10 objects and 200 bytes. */
export declare const maxPickle: number;
/** Runs the pickle in `bytes`, which start at `base` in `file`. Throws PICKLE_FORBIDDEN, PICKLE_INVALID, PICKLE_TOO_BIG. */
export declare const readPickle: (bytes: Uint8Array, file: string, base: number) => Value;
