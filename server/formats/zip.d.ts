import type { RangedFile } from './rangedFile.js';
/** An uncompressed member: its bytes in the archive. */
export interface ZipMember {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}
/**
 * Members of a zip archive (PKWARE APPNOTE 6.3.10, with Zip64), read from the central directory at its end. torch.save stores without
 * compression, so nothing is ever inflated: compressed or encrypted members are refused (ZIP_COMPRESSED). Damage is ZIP_INVALID.
 */
export declare function readZip(file: RangedFile): Promise<ReadonlyMap<string, ZipMember>>;
