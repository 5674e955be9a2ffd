import assert from 'node:assert/strict';
import test from 'node:test';
import { fill, isStrong, percent, spokenToken, strength, tokenFill, visibleText } from '../../webviews/frame/tokenText.js';
import { tokensOf } from './tokens.js';

const visible = (piece: string | readonly number[]) => visibleText(tokensOf([piece])[0] ?? { text: '', bytes: [] });

test('what is not a letter is still seen', () => {
  assert.equal(visible(' the'), '·the');
  assert.equal(visible('\n\n'), '⏎⏎');
  assert.equal(visible('\t'), '⇥');
  assert.equal(visible('风筝'), '风筝');
  assert.equal(visible('🪁'), '🪁');
  assert.equal(visible('\u200d'), '‹200d›');
  assert.equal(visible([0xf0, 0x9f]), 'f0 9f');
  assert.equal(visible(''), '∅');
});

test('a token without probability has no colour', () => {
  const [first, second] = tokensOf(['a', 'b'], 2 ** -6);
  assert.ok(first && second);
  assert.equal(strength(first, 'surprisal'), null);
  assert.equal(tokenFill(first, 'surprisal'), 'transparent');
  assert.equal(strength(second, 'surprisal'), 0.5);
  assert.equal(strength(second, 'probability'), 2 ** -6);
  assert.equal(tokenFill(second, 'none'), 'transparent');
});

/** Relative luminance of WCAG 2.2. */
const luminance = (rgb: readonly number[]): number => {
  const [r = 0, g = 0, b = 0] = rgb.map((byte) => {
    const part = byte / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

test('text on the fill of a token has a contrast of 4.5 in the dark and light themes, in the side bar and beside it', () => {
  const themes = [
    { papers: [0x18, 0x1f], text: 0xcc, strong: 0xff },
    { papers: [0xf8, 0xff], text: 0x3b, strong: 0x3b },
  ];
  for (const { papers, text, strong } of themes)
    for (const colour of ['surprisal', 'probability'] as const)
      for (const paper of papers)
        for (let amount = 0; amount <= 1; amount += 1 / 64) {
          const [r = 0, g = 0, b = 0, alpha = 0] =
            fill(amount, colour)
              .match(/[\d.]+/g)
              ?.map(Number) ?? [];
          const ground = luminance([r, g, b].map((byte) => alpha * byte + (1 - alpha) * paper));
          const ink = luminance(Array(3).fill(isStrong({ probability: amount, surprisal: 12 * amount }, colour) ? strong : text));
          const contrast = (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05);
          assert.ok(contrast >= 4.5, `${colour} ${amount} on ${paper}: ${contrast}`);
        }
});

test('a screen reader says what is seen', () => {
  const tokens = tokensOf(['a', ' ', '\n', [0xf0]], 0.5);
  const said = tokens.map(spokenToken);
  assert.equal(said[0], 'token 0: a, prompt');
  assert.match(said[1] ?? '', /^token 1: space, prompt, probability 50 %/);
  assert.match(said[2] ?? '', /new line/);
  assert.match(said[3] ?? '', /bytes f0/);
});

test('percentages keep what matters', () => {
  assert.equal(percent(0.4213), '42 %');
  assert.equal(percent(0.0421), '4.2 %');
  assert.equal(percent(0.00031), '0.031 %');
  assert.equal(percent(1e-7), '<0.001 %');
  assert.equal(percent(0), '0 %');
  assert.equal(percent(Number.NaN), 'NaN');
});
