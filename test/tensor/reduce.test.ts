import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellsOver } from '../../server/tensor/grid.js';
import { entropyBits, logSumExp } from '../../server/tensor/reduce.js';

test('entropy of equal weights is the logarithm of their number', () => {
  assert.equal(entropyBits(new Float32Array(8).fill(1 / 8)), 3);
  assert.equal(entropyBits([0, 1, 0]), 0);
});

test('log Σ exp keeps what would overflow or vanish', () => {
  assert.ok(Math.abs(logSumExp([1000, 1000]) - (1000 + Math.LN2)) < 1e-9);
  assert.ok(Math.abs(logSumExp([-1000, Number.NEGATIVE_INFINITY]) + 1000) < 1e-9);
  assert.equal(logSumExp([Number.NEGATIVE_INFINITY]), Number.NEGATIVE_INFINITY);
  assert.equal(logSumExp([1, Number.NaN]), Number.NaN);
});

test('cells cover a range once when they are fewer, and repeat it when they are more', () => {
  assert.deepEqual(cellsOver(10, 15, 2), [
    { from: 10, to: 12 },
    { from: 12, to: 15 },
  ]);
  assert.deepEqual(
    cellsOver(0, 2, 4).map(({ from, to }) => [from, to]),
    [
      [0, 1],
      [0, 1],
      [1, 2],
      [1, 2],
    ],
  );
});
