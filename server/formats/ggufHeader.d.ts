import type { RangedFile } from './rangedFile.js';
import { type Declared } from './tensorTable.js';
export interface GgufHeader {
  /** Values with the offset of their key. 64-bit integers are numbers. */
  readonly metadata: ReadonlyMap<
    string,
    {
      readonly value: unknown;
      readonly at: number;
    }
  >;
  /** By their names in the file, shapes row-major. */
  readonly declared: readonly Declared[];
}
/** Reads as much of the file's start as the header takes, in growing steps. */
export declare function readGgufHeader(file: RangedFile): Promise<GgufHeader>;
