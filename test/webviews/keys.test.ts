import assert from 'node:assert/strict';
import test from 'node:test';
import { movedToken, searchTokens } from '../../webviews/frame/keys.js';
import { tokensOf } from './tokens.js';

const tokens = tokensOf(['Anna', ' has', ' the', ' ki', 'te', '.', '\n', 'Tom']);
const press = (key: string, modifiers: Partial<KeyboardEvent> = {}) =>
  ({ key, ctrlKey: false, metaKey: false, altKey: false, ...modifiers }) as KeyboardEvent;

test('arrows, Home, End and pages stay inside the tokens', () => {
  const moves: [key: string, from: number, to: number][] = [
    ['ArrowLeft', 0, 0],
    ['ArrowRight', 0, 1],
    ['ArrowRight', 7, 7],
    ['Home', 5, 0],
    ['End', 5, 7],
    ['PageUp', 2, 0],
    ['PageDown', 2, 5],
  ];
  for (const [key, from, to] of moves) assert.equal(movedToken(press(key), tokens, from, 3), to, `${key} from ${from}`);
});

test('Ctrl and Cmd walk words', () => {
  assert.equal(movedToken(press('ArrowRight', { ctrlKey: true }), tokens, 3, 3), 6);
  assert.equal(movedToken(press('ArrowLeft', { metaKey: true }), tokens, 5, 3), 3);
  assert.equal(movedToken(press('ArrowLeft', { ctrlKey: true }), tokens, 0, 3), 0);
});

test('other keys and no tokens move nothing', () => {
  assert.equal(movedToken(press('x'), tokens, 3, 3), null);
  assert.equal(movedToken(press('ArrowLeft', { altKey: true }), tokens, 3, 3), null);
  assert.equal(movedToken(press('End'), [], 0, 3), null);
});

test('search finds text across token borders, without case', () => {
  assert.deepEqual(searchTokens(tokens, 'kite'), [3]);
  assert.deepEqual(searchTokens(tokens, 'T'), [2, 4, 7]);
  assert.deepEqual(searchTokens(tokens, 'a'), [0, 1]);
  assert.deepEqual(searchTokens(tokens, ''), []);
  assert.deepEqual(searchTokens(tokens, 'zebra'), []);
});
