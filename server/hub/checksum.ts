import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';

const SHA256 = /^[0-9a-f]{64}$/;
const SHA1 = /^[0-9a-f]{40}$/;

/**
 * The checksum that an ETag is, begun: SHA-256 of the content (files in LFS), or git's SHA-1 of a blob. Null for an ETag of another kind, of a
 * mirror for instance: there only the size can be checked.
 */
export function beginChecksum(etag: string, bytes: number): Hash | null {
  if (SHA256.test(etag)) return createHash('sha256');
  return SHA1.test(etag) ? createHash('sha1').update(`blob ${bytes}\0`) : null;
}

/** Feeds what is on disk already. */
export async function updateFrom(hash: Hash | null, path: string, bytes: number): Promise<void> {
  if (hash === null || bytes === 0) return;
  for await (const chunk of createReadStream(path, { end: bytes - 1 })) hash.update(chunk as Buffer);
}
