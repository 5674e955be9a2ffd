import assert from 'node:assert/strict';
import { test } from 'node:test';
import { broadcast, matmul, reshape, sum } from '../../server/graph/shapes.js';

const misfit = { code: 'GRAPH_SHAPE' };

test('broadcasting aligns at the end, over numbers and names', () => {
  assert.deepEqual(broadcast('Add', ['B', 'T', 8], [8]), ['B', 'T', 8]);
  assert.deepEqual(broadcast('Add', [3, 1, 5], [4, 1]), [3, 4, 5]);
  assert.deepEqual(broadcast('Add', [], ['T']), ['T']);
  assert.deepEqual(broadcast('Add', ['T', 1], [1, 'S']), ['T', 'S']);
  assert.deepEqual(broadcast('Add', ['T'], [7]), [7]);
  assert.throws(() => broadcast('Add', ['B', 8], [9]), misfit);
});

test('a product keeps the rows of one and the columns of the other', () => {
  assert.deepEqual(matmul(['B', 'T', 8], [8, 3], false), ['B', 'T', 3]);
  assert.deepEqual(matmul(['B', 'T', 8], [3, 8], true), ['B', 'T', 3]);
  assert.deepEqual(matmul(['B', 4, 'T', 8], ['B', 4, 'C', 8], true), ['B', 4, 'T', 'C']);
  assert.deepEqual(matmul([1, 'T', 'S'], [4, 'S', 8], false), [4, 'T', 8]);
  assert.throws(() => matmul(['T', 8], [8, 3], true), misfit);
  assert.throws(() => matmul([2, 'T', 8], [3, 8, 1], false), misfit);
});

test('reshape copies, infers, and multiplies what stays open', () => {
  assert.deepEqual(reshape(['B', 'T', 32], [0, 0, 4, 8]), ['B', 'T', 4, 8]);
  assert.deepEqual(reshape(['B', 'T', 32], [0, 0, -1]), ['B', 'T', 32]);
  assert.deepEqual(reshape(['B', 4, 'T', 8], [0, 32, -1]), ['B', 32, 'T']);
  assert.deepEqual(reshape([6, 4], [3, -1]), [3, 8]);
  assert.deepEqual(reshape([2, 3, 'T'], [-1]), ['6·T']);
  assert.throws(() => reshape([5, 2], [3, -1]), misfit);
});

test('lengths add up', () => {
  assert.equal(sum([2, 3]), 5);
  assert.equal(sum(['C', 'T']), 'C+T');
});
