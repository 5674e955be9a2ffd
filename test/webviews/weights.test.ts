import assert from 'node:assert/strict';
import test from 'node:test';
import type { LayerSummary, StateSummary, TensorSummary } from '../../server/protocol/models.js';
import { flatten } from '../../webviews/weights/flatten.js';
import { bytesAt, runsOf, totalBytesAt } from '../../webviews/weights/memory.js';
import { byDtype, filterTensors, sortTensors } from '../../webviews/weights/tensorList.js';
import { buildTree, type TreeNode, visibleRows } from '../../webviews/weights/tree.js';

let offset = 0;
const tensor = (name: string, shape: readonly number[] = [4, 4], dtype = 'F32'): TensorSummary => {
  const bytes = shape.reduce((a, b) => a * b, 1) * (dtype === 'F32' ? 4 : 2);
  offset += bytes;
  return { name, dtype, shape, bytes, file: 0, offset: offset - bytes };
};

const blocks = (count: number) =>
  Array.from({ length: count }, (_, i) => [
    tensor(`model.layers.${i}.attn.q.weight`),
    tensor(`model.layers.${i}.norm.weight`, [4]),
  ]).flat();

const labels = (nodes: readonly TreeNode[]): unknown[] =>
  nodes.map(({ label, children }) => (children.length > 0 ? [label, labels(children)] : label));

test('blocks that are alike are one node with what each of them holds', () => {
  const tree = buildTree([tensor('model.embed.weight', [8, 4]), ...blocks(12), tensor('lm_head.weight', [8, 4])]);
  const folded = tree[0]?.children[1];
  assert.deepEqual(
    folded && {
      label: folded.label,
      alike: folded.alike,
      tensors: folded.tensors,
      parameters: folded.parameters,
      bytes: folded.bytes,
    },
    {
      label: 'layers.0 … 11',
      alike: 12,
      tensors: 24,
      parameters: 12 * 20,
      bytes: 12 * 80,
    },
  );
  assert.equal(folded?.children[10]?.label, '10');
  assert.deepEqual(labels(tree[1] ? [tree[1]] : []), ['lm_head.weight']);
});

test('a block that differs is not folded with the others', () => {
  const odd = [...blocks(6), tensor('model.layers.3.extra')];
  const layers = buildTree(odd)[0];
  assert.deepEqual(
    layers?.children.map(({ label }) => label),
    ['0 … 2', '3', '4', '5'],
  );
});

test('a name may be the beginning of another one', () => {
  const tree = buildTree([tensor('a'), tensor('a.b'), tensor('a.c')]);
  assert.equal(tree[0]?.tensor?.name, 'a');
  assert.deepEqual(labels(tree), [['a', ['b', 'c']]]);
});

test('every tensor is in the tree exactly once', () => {
  const all = [...blocks(5), tensor('model.layers.7.attn.q.weight'), tensor('x'), tensor('1.2.3'), tensor('')];
  const found = visibleRows(buildTree(all), () => true).flatMap(({ node }) => node.tensor?.name ?? []);
  assert.deepEqual(found.sort(), all.map(({ name }) => name).sort());
});

test('closed nodes hide what is in them', () => {
  const tree = buildTree(blocks(4));
  assert.equal(visibleRows(tree, () => false).length, tree.length);
});

test('a filter has words for name, type and shape', () => {
  const all = [
    tensor('layers.0.attn.q', [64, 32], 'F16'),
    tensor('layers.0.mlp.up', [64, 32]),
    tensor('layers.1.attn.q', [32, 64]),
  ];
  const names = (query: string) => filterTensors(all, query).map(({ name }) => name);
  assert.deepEqual(names('attn 64x32'), ['layers.0.attn.q']);
  assert.deepEqual(names('f16'), ['layers.0.attn.q']);
  assert.deepEqual(names('ATTN'), ['layers.0.attn.q', 'layers.1.attn.q']);
  assert.deepEqual(names('64×32 layers.0'), ['layers.0.attn.q', 'layers.0.mlp.up']);
  assert.equal(names('  ').length, 3);
});

test('names sort by their numbers, equal sizes by name', () => {
  const all = ['layers.10.w', 'layers.2.w', 'b'].map((name) => tensor(name));
  const names = (key: 'name' | 'bytes', descending: boolean) => sortTensors(all, { key, descending }).map(({ name }) => name);
  assert.deepEqual(names('name', false), ['b', 'layers.2.w', 'layers.10.w']);
  assert.deepEqual(names('name', true), ['layers.10.w', 'layers.2.w', 'b']);
  assert.deepEqual(names('bytes', true), ['b', 'layers.2.w', 'layers.10.w']);
});

test('bytes by type add up', () => {
  const all = [tensor('a', [10], 'BF16'), tensor('b', [10]), tensor('c', [1])];
  assert.deepEqual(byDtype(all), [
    { dtype: 'F32', bytes: 44, tensors: 2 },
    { dtype: 'BF16', bytes: 20, tensors: 1 },
  ]);
});

test('a configuration is flat, long lists are counted', () => {
  const facts = flatten({
    a: 1,
    rope: { type: 'yarn', factors: [1, 2] },
    empty: {},
    vocab: Array.from({ length: 5000 }, (_, i) => `t${i}`),
  });
  assert.deepEqual(facts.slice(0, 4), [
    { path: 'a', value: '1' },
    { path: 'rope.type', value: 'yarn' },
    { path: 'rope.factors', value: '[1, 2]' },
    { path: 'empty', value: '{}' },
  ]);
  assert.match(facts[4]?.value ?? '', /^5,000 items: t0, t1, /);
});

const state = (change: Partial<StateSummary>): StateSummary => ({
  name: 'k',
  kind: 'kv',
  shape: [2, 'S', 8],
  bytesFixed: 0,
  bytesPerToken: 64,
  keeps: null,
  ...change,
});

test('a window stops growing, a recurrent state never grows', () => {
  assert.equal(bytesAt(state({}), 100), 6400);
  assert.equal(bytesAt(state({ keeps: 15 }), 100), 960);
  assert.equal(bytesAt(state({ keeps: 15 }), 10), 640);
  assert.equal(bytesAt(state({ bytesFixed: 512, bytesPerToken: 0 }), 100), 512);
});

test('neighbouring layers that declare the same are one row', () => {
  const layer = (index: number, window: number | null): LayerSummary => ({
    index,
    mixer: 'attention',
    heads: 4,
    kvHeads: 2,
    headDim: 8,
    window,
    state: [state({ keeps: window })],
  });
  const layers = [layer(0, null), layer(1, null), layer(2, 16), layer(3, null)];
  assert.deepEqual(
    runsOf(layers).map(({ first, last }) => [first, last]),
    [
      [0, 1],
      [2, 2],
      [3, 3],
    ],
  );
  assert.equal(totalBytesAt(layers, 100), 3 * 6400 + 16 * 64);
});
