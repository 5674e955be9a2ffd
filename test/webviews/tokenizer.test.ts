import assert from 'node:assert/strict';
import test from 'node:test';
import type { EditorDocument } from '../../server/protocol/host.js';
import type { MergeNode, WindowToken } from '../../server/protocol/tokens.js';
import {
  cost,
  money,
  parsePrice,
  placeTree,
  ratios,
  SPAN,
  stepsOf,
  stretchOf,
  touched,
} from '../../webviews/tokenizer/figures.js';
import { tokenLabel } from '../../webviews/tokenizer/tokenText.js';

const token = (
  start: number,
  end: number,
  text = 'x',
  bytes: number[] = [],
  role: WindowToken['role'] = 'text',
): WindowToken => ({
  id: 1,
  start,
  end,
  text,
  bytes,
  role,
});

const document = (changes: Partial<EditorDocument>): EditorDocument => ({
  document: 'a',
  name: 'a',
  file: null,
  version: 1,
  length: 100_000,
  selection: [0, 0],
  visible: [0, 1000],
  ...changes,
});

test('tokens under a selection, and under a cursor', () => {
  const tokens = [token(0, 0), token(0, 3), token(3, 5), token(3, 5), token(5, 9)];
  assert.deepEqual(touched(tokens, [2, 4]), [1, 2, 3]);
  assert.deepEqual(touched(tokens, [3, 5]), [2, 3]);
  assert.deepEqual(touched(tokens, [5, 5]), [4]);
  assert.deepEqual(touched(tokens, [9, 9]), []);
});

test('the stretch on screen stays while it holds what is selected, and follows it elsewhere', () => {
  assert.equal(stretchOf(document({}), null), 0);
  const shown = { document: 'a', from: 5000 };
  assert.equal(stretchOf(document({ selection: [6000, 6010], visible: [5900, 7000] }), shown), 5000);
  assert.equal(stretchOf(document({ selection: [9000, 9010], visible: [8900, 9900] }), shown), 8900);
  assert.equal(
    stretchOf(document({ selection: [9000 + SPAN, 9000 + SPAN], visible: [8000, 90_000] }), shown),
    9000 + SPAN - SPAN / 4,
  );
  assert.equal(stretchOf(document({ document: 'b', visible: [70, 90] }), shown), 70);
});

test('densities and prices', () => {
  assert.deepEqual(
    ratios(30, { characters: 60, words: 10, bytes: 0, lines: 1 }).map(({ value }) => value),
    [0.5, 3, null],
  );
  assert.equal(cost(250_000, 2), 0.5);
  assert.deepEqual(['', ' 2.5 ', '2,5', '-1', 'x'].map(parsePrice), [null, 2.5, 2.5, undefined, undefined]);
  assert.deepEqual([0, 0.000123456, 0.5, 1234.567].map(money), ['0', '0.00012', '0.5', '1,234.57']);
});

const symbol = (text: string): MergeNode => ({ id: 1, text, bytes: [], rank: null, step: null, parts: [] });
const merge = (text: string, step: number, rank: number, parts: MergeNode[]): MergeNode => ({
  id: 1,
  text,
  bytes: [],
  rank,
  step,
  parts,
});

test('a tree of merges: its steps in order, and its picture', () => {
  const tree = merge('abc', 2, 9, [symbol('a'), merge('bc', 1, 4, [symbol('b'), symbol('c')])]);
  assert.deepEqual(
    stepsOf(tree).map(({ step, rank, left, right, made }) => [step, rank, left.text, right.text, made.text]),
    [
      [1, 4, 'b', 'c', 'bc'],
      [2, 9, 'a', 'bc', 'abc'],
    ],
  );
  assert.deepEqual(
    placeTree(tree).map(({ node, from, width, depth }) => [node.text, from, width, depth]),
    [
      ['abc', 0, 3, 0],
      ['a', 0, 1, 1],
      ['bc', 1, 2, 1],
      ['b', 1, 1, 2],
      ['c', 2, 1, 2],
    ],
  );
});

test('what a token says: blanks, bytes, names', () => {
  assert.deepEqual(tokenLabel(token(0, 2, ' a', [32, 97]), ' a'), { character: '', text: '·a' });
  assert.deepEqual(tokenLabel(token(0, 2, '\uFFFD', [0xf0, 0x9f]), '😀'), { character: '😀', text: 'f0 9f' });
  assert.deepEqual(tokenLabel(token(0, 2, '\uFFFD', [0x98]), ''), { character: '', text: '98' });
  assert.deepEqual(tokenLabel(token(0, 5, '[UNK]', [], 'unknown'), '我'), { character: '', text: '我' });
  assert.deepEqual(tokenLabel(token(0, 4, '<s>', [], 'special'), '<s>'), { character: '', text: '<s>' });
});
