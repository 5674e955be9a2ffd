/**
 * Why a token: its merges against those of tiktoken's teaching implementation (fixtures/tokenizers/tricky.json, made by makeTricky.py), scores
 * and longest matches against the vocabulary itself.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { MergeNode } from '../../server/protocol/tokens.js';
import { namedTokenizer } from '../../server/tokenizer/named.js';
import { createTokenizer } from '../../server/tokenizer/registry.js';
import type { Piece, Tokenizer } from '../../server/tokenizer/tokenizer.js';

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/tokenizers/${name}.json`, import.meta.url), 'utf8'));
const hf = (tokenizer: unknown) =>
  createTokenizer({ kind: 'hf', tokenizerJson: JSON.stringify(tokenizer), configJson: null, chatTemplate: null });

function treeOf(tokenizer: Tokenizer, id: number): MergeNode {
  const origin = tokenizer.origin(id);
  assert.equal(origin.how, 'merges');
  return (origin as { tree: MergeNode }).tree;
}

const hex = ({ bytes }: MergeNode) => Buffer.from(bytes).toString('hex');

/** The parts of a token after `step` of its merges. */
const partsAfter = (node: MergeNode, step: number): string[] =>
  node.parts.length === 0 || (node.step !== null && node.step <= step)
    ? [hex(node)]
    : node.parts.flatMap((part) => partsAfter(part, step));

const mergesIn = (node: MergeNode): number => node.parts.reduce((sum, part) => sum + mergesIn(part), node.step === null ? 0 : 1);

for (const name of ['r50k_base', 'o200k_base']) {
  test(`${name}: the merges of a token, step by step`, async () => {
    const tokenizer = await namedTokenizer(name);
    for (const steps of fixture('tricky').merges[name] as string[][][]) {
      const word = Buffer.from((steps[0] as string[]).join(''), 'hex').toString();
      const pieces = tokenizer.encode(word);
      const trees = pieces.map(({ id }) => treeOf(tokenizer, id));
      assert.deepEqual(trees.map(hex), steps.at(-1), word);
      // Where the word is one token, its merges are all there are.
      if (trees.length !== 1) continue;
      const [tree] = trees as [MergeNode];
      assert.equal(mergesIn(tree), steps.length - 1);
      steps.forEach((parts, step) => {
        assert.deepEqual(partsAfter(tree, step), parts, `${word} after ${step}`);
      });
      assert.equal(tree.rank, pieces[0]?.id === undefined || tree.step === null ? null : pieces[0].id);
    }
  });
}

test('merges listed in a file have their places in the list', async () => {
  const { tokenizer: json, cases } = fixture('byte_level');
  const tokenizer = await hf(json);
  const { merges } = json.model as { merges: [string, string][] };
  const spelled = new Map(Object.entries(json.model.vocab as Record<string, number>).map(([token, id]) => [id, token]));
  let checked = 0;
  const check = (node: MergeNode) => {
    if (node.step === null) return;
    const [left, right] = node.parts as [MergeNode, MergeNode];
    assert.deepEqual(merges[node.rank as number], [spelled.get(left.id as number), spelled.get(right.id as number)]);
    checked++;
    for (const part of node.parts) check(part);
  };
  for (const { id } of tokenizer.encode(cases.map((each: { text: string }) => each.text).join(' ')))
    if (tokenizer.role(id) === 'text') check(treeOf(tokenizer, id));
  assert.ok(checked > 100);
});

test('a token that is one because its spelling is an entry: the parts that merging would leave', async () => {
  const model = { type: 'BPE', vocab: { a: 0, b: 1, c: 2, ab: 3, abc: 4 }, merges: [['a', 'b']], ignore_merges: true };
  const tokenizer = await hf({ model });
  assert.deepEqual(
    tokenizer.encode('abc').map(({ id }) => id),
    [4],
  );
  const tree = treeOf(tokenizer, 4);
  assert.deepEqual(
    [tree.step, tree.parts.map(({ text, rank }) => [text, rank])],
    [
      null,
      [
        ['ab', 0],
        ['c', null],
      ],
    ],
  );
});

test('unigram: the score, and the best spelling without the token', async () => {
  const { tokenizer: json } = fixture('unigram');
  const tokenizer = await hf(json);
  const vocab = json.model.vocab as [string, number][];
  const best = (token: string, without: number): number => {
    let most = token === '' ? 0 : -Infinity;
    vocab.forEach(([entry, score], id) => {
      if (id !== without && entry !== '' && token.startsWith(entry))
        most = Math.max(most, score + best(token.slice(entry.length), without));
    });
    return most;
  };
  for (const id of [50, 120, 200, vocab.length - 1]) {
    const origin = tokenizer.origin(id);
    const [token, score] = vocab[id] as [string, number];
    assert.ok(origin.how === 'score');
    assert.equal(origin.score, score);
    assert.equal(origin.rank, vocab.filter((entry) => entry[1] > score).length);
    const other = best(token, id);
    if (origin.otherwise === null) assert.equal(other, -Infinity);
    else {
      assert.ok(Math.abs(origin.otherwise.score - other) < 1e-9);
      assert.equal(origin.otherwise.parts.map(({ text }) => text).join(''), tokenizer.text(id));
    }
  }
});

test('longest match: every shorter entry', async () => {
  const wordpiece = await hf(fixture('wordpiece').tokenizer);
  const world = await namedTokenizer('rwkv_world');
  for (const [tokenizer, word] of [
    [wordpiece, 'there'],
    [world, ' representation'],
  ] as const) {
    const [{ id }] = tokenizer.encode(word, { special: false }) as readonly [Piece];
    const origin = tokenizer.origin(id);
    assert.ok(origin.how === 'longest');
    assert.ok(origin.shorter.length > 1);
    for (const part of origin.shorter) {
      assert.ok(tokenizer.text(id).startsWith(part.text));
      assert.deepEqual(part.bytes, [...tokenizer.bytes(part.id as number)]);
    }
  }
});

test('roles: special, added, byte, unknown', async () => {
  const added = [
    { id: 5, content: '<s>', special: true },
    { id: 6, content: '<tool>', special: false },
  ];
  const model = {
    type: 'BPE',
    vocab: { '<unk>': 0, a: 1, '<0x0A>': 2, '<0xC3>': 3, '<0xA9>': 4 },
    merges: [],
    byte_fallback: true,
    unk_token: '<unk>',
  };
  const tokenizer = await hf({ model, added_tokens: added });
  const roles = (text: string) => tokenizer.encode(text).map(({ id }) => tokenizer.role(id));
  assert.deepEqual(roles('a\né<s><tool>我'), ['text', 'byte', 'byte', 'byte', 'special', 'added', 'unknown']);
  assert.deepEqual(tokenizer.origin(3), { how: 'byte' });
  assert.deepEqual(tokenizer.origin(99), { how: 'unknown' });
  // The spelling of a byte token is no reason to look for it.
  assert.deepEqual(tokenizer.encode('\n<0x0A>').map(({ start, end }) => [start, end])[0], [0, 1]);
});
