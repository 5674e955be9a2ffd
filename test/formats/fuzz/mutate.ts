/** mulberry32: seeded, so that a failure can be repeated. */
export function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const extremes = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  1n << 40n,
  (1n << 53n) - 1n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
];

/** What JSON and pickles break at. */
const words = ['[', '{', '"', '\\u', '1e999', '-1', 'null', '18446744073709551616', ']}', '\0', '.', '(', 'R', 'b', '../'];

/** One to three small harms within `region`, where the headers are: bits, bytes, lengths, words, pieces cut out or doubled, the end cut off. */
export function mutate(original: Buffer, [from, to]: readonly [number, number], below: (n: number) => number): Buffer {
  let data: Buffer = Buffer.from(original);
  for (let harms = 1 + below(3); harms > 0; harms--) {
    if (data.length < 16) return data;
    const at = Math.min(data.length - 9, from + below(to - from));
    const kind = below(8);
    if (kind === 0) data[at] = below(256);
    else if (kind === 1) data[at] = (data[at] as number) ^ (1 << below(8));
    else if (kind === 2) data.writeBigUInt64LE(extremes[below(extremes.length)] as bigint, at);
    else if (kind === 3) data.writeUInt32LE(Number((extremes[below(8)] as bigint) & 0xffffffffn), at);
    else if (kind === 4) data = data.subarray(0, at + 1 + below(8));
    else if (kind === 5) data = Buffer.concat([data.subarray(0, at), data.subarray(at + 1 + below(16))]);
    else if (kind === 6) data = Buffer.concat([data.subarray(0, at), data.subarray(at, at + 1 + below(64)), data.subarray(at)]);
    else data = Buffer.concat([data.subarray(0, at), Buffer.from(words[below(words.length)] as string), data.subarray(at)]);
  }
  return data;
}
