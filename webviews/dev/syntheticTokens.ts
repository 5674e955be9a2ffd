import type { Alternative, TokenInfo } from '../../server/protocol/runs.js';

// Shapes for the eye only: this folder is never part of a build, and no view draws anything but what its host answers.

const TEXT =
  'Anna has the red kite. Tom has the green key. 安娜有红色的风筝。\nQ: Who has the red kite? A: Anna 🪁 has the red kite.\n\tThe wizard unlocks the blue door and finds an extraordinarily long corridor. ';
const WORDS = [' the', ' kite', ' key', ' Anna', ' Tom', '.', '\n', ' red', ' has', ' green', ' Who', '?', ' door', ' 风筝'];

/** Same numbers each time: a hash of what is asked. */
export function noise(...seeds: readonly number[]): number {
  let state = 2166136261;
  for (const seed of seeds) state = Math.imul(state ^ (seed + 0x9e3779b9), 16777619) ^ (state >>> 13);
  return ((state >>> 0) % 100_000) / 100_000;
}

const encoder = new TextEncoder();

/** Pieces as a byte-level tokenizer makes them: an emoji falls apart into bytes. */
const PIECES: readonly { readonly text: string; readonly bytes: readonly number[] }[] = (
  TEXT.match(/🪁|[一-鿿。]|\s?[A-Za-z]{1,7}|[^\S ]| |./gu) ?? []
).flatMap((text) =>
  text === '🪁'
    ? Array.from(encoder.encode(text), (byte) => ({ text: '\uFFFD', bytes: [byte] }))
    : [{ text, bytes: Array.from(encoder.encode(text)) }],
);

export function syntheticTokens(count: number, promptTokens: number): TokenInfo[] {
  let offset = 0;
  return Array.from({ length: count }, (_, index) => {
    const piece = PIECES[index % PIECES.length] ?? { text: 'a', bytes: [97] };
    const start = offset;
    offset += piece.text.length;
    const probability = index === 0 ? null : Math.max(1e-5, noise(index, 1) ** 2.5);
    const generated = index >= promptTokens;
    return {
      index,
      id: 260 + (index % PIECES.length),
      text: piece.text,
      bytes: piece.bytes,
      start: generated ? null : start,
      end: generated ? null : offset,
      role: generated ? 'generated' : 'prompt',
      probability,
      surprisal: probability === null ? null : -Math.log2(probability),
      entropy: probability === null ? null : 6 * noise(index, 2),
      rank: probability === null ? null : probability > 0.4 ? 0 : Math.floor(1 + noise(index, 3) * 40),
      alternatives: probability === null ? [] : alternatives(index, probability, piece.text),
    };
  });
}

export function alternatives(seed: number, probability: number, text: string): Alternative[] {
  let rest = 1 - (probability > 0.4 ? probability : 0);
  const list: Alternative[] = probability > 0.4 ? [{ id: 999, text, probability }] : [];
  for (let k = 0; list.length < 8; k++) {
    const p = rest * (0.2 + 0.4 * noise(seed, k, 7));
    rest -= p;
    list.push({ id: 300 + k, text: WORDS[Math.floor(noise(seed, k) * WORDS.length)] ?? ' a', probability: p });
  }
  return list.sort((a, b) => b.probability - a.probability);
}
