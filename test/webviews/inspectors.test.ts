import assert from 'node:assert/strict';
import test from 'node:test';
import type { WireTensor } from '../../server/protocol/tensors.js';
import { rotation, wavelength } from '../../webviews/cache/rope.js';
import { bytes, compact, count, exact } from '../../webviews/charts/numbers.js';
import { isSum, norm, relativeError, spelled, sumError, sumOf, termsAt } from '../../webviews/state/update.js';

const tensor = (...values: number[]): WireTensor => ({ shape: [1, values.length], data: Float32Array.from(values) });

test('both styles of RoPE pair every rotated dimension with another one of the same frequency', () => {
  const frequencies = { shape: [4], data: Float32Array.of(1, 0.1, 0.01, 0.001) };
  for (const style of ['half', 'interleaved'] as const) {
    const rope = rotation({ style, frequencies });
    for (let dimension = 0; dimension < 8; dimension++) {
      const other = rope.partner(dimension);
      assert.ok(other !== null && other !== dimension);
      assert.equal(rope.partner(other), dimension);
      assert.equal(rope.frequency(other), rope.frequency(dimension));
    }
    assert.equal(rope.partner(8), null);
    assert.equal(rope.frequency(8), 0);
  }
  assert.equal(rotation({ style: 'half', frequencies }).partner(1), 5);
  assert.equal(rotation({ style: 'interleaved', frequencies }).partner(5), 4);
});

test('a wavelength is the tokens of one turn', () => {
  assert.ok(Math.abs(wavelength(1) - 6.283185307) < 1e-9);
  assert.equal(wavelength(0), Infinity);
});

const step = {
  before: tensor(2, -1),
  decay: tensor(0.5, 1),
  removal: tensor(0.25, 0),
  write: tensor(1, 3),
  after: tensor(1.75, 2),
};

test('the update adds up from its terms, with those a mixer has', () => {
  assert.equal(sumOf(termsAt(step, 0)), 1.75);
  assert.equal(sumOf(termsAt(step, 1)), 2);
  assert.equal(sumOf({ after: 0, before: 5, decay: null, removal: null, write: 2 }), 7);
  assert.deepEqual(sumError(step), { error: 0, magnitude: 2 });
  assert.equal(isSum(step), true);
  assert.equal(isSum({ ...step, decay: null, write: null }), false);
});

test('an update that does not add up, or is NaN, is a large error', () => {
  assert.deepEqual(sumError({ ...step, after: tensor(1.75, 2.5) }), { error: 0.5, magnitude: 2.5 });
  assert.equal(sumError({ ...step, write: tensor(1, Number.NaN) }).error, Infinity);
  assert.equal(relativeError({ error: 0.5, magnitude: 2 }), 0.25);
  assert.equal(relativeError({ error: 1e-9, magnitude: 0 }), Infinity);
  assert.equal(relativeError({ error: 0, magnitude: 0 }), 0);
});

test('the update is spelled with its numbers', () => {
  assert.equal(spelled(termsAt(step, 0)), '1.75 = 0.5 × 2 − 0.25 + 1');
  assert.equal(spelled(termsAt(step, 1)), '2 = 1 × (−1) − 0 + 3');
});

test('the norm is Frobenius’s', () => assert.equal(norm([3, 4, 0]), 5));

test('numbers are short and never lie about what is not one', () => {
  assert.equal(compact(0.123456), '0.123');
  assert.equal(compact(-12345), '−1.2e4');
  assert.equal(compact(0.0000123), '1.2e−5');
  assert.equal(compact(Number.NaN), 'NaN');
  assert.equal(compact(-Infinity), '−∞');
  assert.equal(exact(0.1234567), '0.123457');
  assert.equal(exact(-0.0000491234567), '−4.91235e−5');
  assert.equal(exact(1e-12), '1e−12');
  assert.equal(bytes(999), '999 B');
  assert.equal(bytes(999_999), '1 MB');
  assert.equal(bytes(1536), '1.54 kB');
  assert.equal(count(134_515_008), '135 M');
});
