import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finish } from '../../server/tensor/spectrum.js';
import { type Svd, svd } from '../../server/tensor/svd.js';

const all = { directions: true, limit: 1e9, top: 8 };

const matrix = (m: number, n: number, value: (i: number, j: number) => number) =>
  Float32Array.from({ length: m * n }, (_, at) => value(Math.floor(at / n), at % n));

const wave = (i: number, j: number) => Math.sin(1.3 * i + 0.7 * j * j + 0.11 * i * j) + 0.01 * i;

/** Σ σ u vᵀ. */
function rebuilt({ sigma, u, v }: Svd, m: number, n: number): Float64Array {
  const out = new Float64Array(m * n);
  for (const [k, s] of sigma.entries())
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) out[i * n + j] = (out[i * n + j] as number) + s * (u?.[k * m + i] ?? 0) * (v?.[k * n + j] ?? 0);
  return out;
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] as number))), 0);

/** Largest |⟨row, row⟩ − identity|. */
function unorthogonal(rows: Float64Array, count: number, size: number): number {
  let most = 0;
  for (let i = 0; i < count; i++)
    for (let j = 0; j <= i; j++) {
      let dot = 0;
      for (let e = 0; e < size; e++) dot += (rows[i * size + e] as number) * (rows[j * size + e] as number);
      most = Math.max(most, Math.abs(dot - Number(i === j)));
    }
  return most;
}

for (const [m, n] of [
  [1, 1],
  [1, 7],
  [7, 1],
  [5, 12],
  [12, 5],
  [33, 33],
] as const)
  test(`the directions of a ${m} × ${n} matrix are orthonormal and add up to it`, () => {
    const a = matrix(m, n, wave);
    const found = finish(svd(a, m, n, all));
    assert.ok(found.complete);
    assert.ok(worst(rebuilt(found, m, n), a) < 1e-7);
    const k = Math.min(m, n);
    assert.ok(unorthogonal(m <= n ? (found.u as Float64Array) : (found.v as Float64Array), k, k) < 1e-10);
    assert.ok(found.sigma.every((s, i) => i === 0 || s <= (found.sigma[i - 1] as number)));
  });

test('a matrix of rank 3 has three directions', () => {
  const a = matrix(20, 30, (i, j) => Math.sin(i) * Math.cos(j) + i * 0.1 * (j % 5) - Math.cos(3 * i) * j);
  const { sigma } = finish(svd(a, 20, 30, all));
  assert.ok((sigma[2] as number) > 1e-2);
  assert.ok((sigma[3] as number) < 1e-4);
});

test('beyond the limit the largest directions are found, and the energy of all is known', () => {
  const [m, n] = [120, 90];
  const a = matrix(m, n, (i, j) => wave(i, j) * 2 ** -(Math.min(i, j) / 6));
  const whole = finish(svd(a, m, n, all));
  const part = finish(svd(a, m, n, { directions: true, limit: 10, top: 8 }));
  assert.ok(!part.complete);
  assert.equal(part.sigma.length, 8);
  for (const [i, s] of part.sigma.entries()) assert.ok(Math.abs(s / (whole.sigma[i] as number) - 1) < 1e-3, `σ${i}`);
  assert.ok(Math.abs(part.energy / whole.sigma.reduce((sum, s) => sum + s * s, 0) - 1) < 1e-6);
  assert.ok(unorthogonal(part.u as Float64Array, 8, m) < 1e-6);
  assert.ok(unorthogonal(part.v as Float64Array, 8, n) < 1e-6);
});

test('a value that is not finite makes all of it NaN', () => {
  const { sigma } = finish(svd(Float32Array.of(1, Number.NaN, 2, 3), 2, 2, all));
  assert.ok(sigma.every(Number.isNaN));
});
