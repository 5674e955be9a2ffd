import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectiveRank, symmetricEigenvalues } from '../../server/tensor/spectrum.js';

const near = (actual: number, expected: number, tolerance = 1e-6) =>
  assert.ok(Math.abs(actual - expected) <= tolerance * Math.max(1, Math.abs(expected)), `${actual} instead of ${expected}`);

const matrix = (rows: number, cols: number, value: (i: number, j: number) => number) =>
  Float64Array.from({ length: rows * cols }, (_, at) => value(Math.floor(at / cols), at % cols));

// Expected values: numpy 2.4 (linalg.eigvalsh, linalg.svd).
test('eigenvalues of a symmetric matrix', () => {
  const values = symmetricEigenvalues(Float64Array.of(4, 1, -2, 2, 1, 2, 0, 1, -2, 0, 3, -2, 2, 1, -2, -1), 4).sort();
  [-2.197516977439427, 1.0843644637732177, 2.2685314064312423, 6.844621107234966].forEach((expected, i) => {
    near(values[i] as number, expected, 1e-12);
  });
});

test('eigenvalues of a Hilbert matrix, spread over sixteen decades', () => {
  const values = symmetricEigenvalues(
    matrix(12, 12, (i, j) => 1 / (i + j + 1)),
    12,
  ).sort();
  const expected = [0.0037223122378911267, 0.04473854875218089, 0.3802752459550371, 1.7953720595619975];
  expected.forEach((value, i) => {
    near(values[8 + i] as number, value, 1e-12);
  });
  near(values[0] as number, 0, 1e-15);
});

test('effective rank', () => {
  const wave = (i: number, j: number) => Math.sin(1.3 * i + 0.7 * j * j + 0.11 * i * j) + 0.01 * i;
  for (const [rows, cols, expected] of [
    [2, 2, 1.3758348180310986],
    [3, 5, 2.092624387654697],
    [7, 7, 2.8352664398131244],
    [16, 64, 14.827138906184047],
    [64, 16, 12.894730395557698],
    [64, 64, 30.613489353016956],
  ] as const)
    near(effectiveRank(matrix(rows, cols, wave), rows, cols), expected);
});

test('effective rank of matrices that need no computation', () => {
  near(
    effectiveRank(
      matrix(5, 5, (i, j) => (i === j ? 3 : 0)),
      5,
      5,
    ),
    5,
    1e-12,
  );
  near(
    effectiveRank(
      matrix(6, 4, (i, j) => (i + 1) * (j - 2)),
      6,
      4,
    ),
    1,
    1e-9,
  );
  near(effectiveRank(Float32Array.of(3, 4, 0), 1, 3), 1, 1e-12);
  assert.equal(effectiveRank(new Float32Array(12), 3, 4), 0);
  assert.equal(effectiveRank(Float32Array.of(1, Number.NaN, 0, 1), 2, 2), Number.NaN);
  assert.equal(effectiveRank(Float32Array.of(1, Number.POSITIVE_INFINITY, 0, 1), 2, 2), Number.NaN);
});
