import assert from 'node:assert/strict';
import test from 'node:test';
import { percent, spokenToken, strength, tokenFill, visibleText } from '../../webviews/frame/tokenText.js';
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
