/** stat, with coded errors: FILE_NOT_FOUND, FILE_UNREADABLE. */
export declare function statPath(path: string): Promise<import('fs').Stats>;
/** Links resolved, because ONNX Runtime refuses external data behind a link that leaves the model's folder. */
export declare function resolvePath(path: string): Promise<string>;
/** A file read by range; nothing reads one whole. Errors carry `path` as given. */
export declare class RangedFile {
  readonly path: string;
  readonly bytes: number;
  private readonly handle;
  private constructor();
  static open(path: string): Promise<RangedFile>;
  /** Exactly `length` bytes in a buffer of their own. Throws HEADER_TRUNCATED past the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
  readInto(buffer: Uint8Array, offset: number): Promise<void>;
  close(): Promise<void>;
}
export declare function withFile<T>(path: string, use: (file: RangedFile) => Promise<T>): Promise<T>;
