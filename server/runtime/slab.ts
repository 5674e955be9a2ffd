/** Arrays from this size on get large pages by themselves, bytes. */
const LARGE = 8 << 20;
/** Of arrays that share a buffer, bytes. */
const SLAB = 16 << 20;

let slab = new Float32Array(0);

/**
 * Zeros. Many arrays that are read one after the other lie in one buffer, where the system backs them with large pages (LARGE_PAGES in
 * extension/launch.ts): an array of less than 2 MB gets none, and is read at two thirds of the speed. A buffer is let go with its last array.
 */
export function zeros(length: number): Float32Array {
  if (length * Float32Array.BYTES_PER_ELEMENT >= LARGE) return new Float32Array(length);
  if (slab.length < length) slab = new Float32Array(SLAB / Float32Array.BYTES_PER_ELEMENT);
  const array = slab.subarray(0, length);
  // whole lines of the cache
  slab = slab.subarray(Math.ceil(length / 16) * 16);
  return array;
}
