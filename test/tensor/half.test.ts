import assert from 'node:assert/strict';
import { test } from 'node:test';
import { floatToHalf, halfToFloat } from '../../server/tensor/half.js';

test('codes are those of IEEE 754 binary16', () => {
  // IEEE 754-2019: one, the largest, the smallest normal and subnormal, a third, infinities
  const known = new Map([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65_504],
    [0x0400, 2 ** -14],
    [0x0001, 2 ** -24],
    [0x3555, 0.333251953125],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x0000, 0],
  ]);
  for (const [code, value] of known) {
    assert.equal(halfToFloat()[code], value);
    assert.equal(floatToHalf(value), code);
  }
  // halfway between two codes the even one is taken; what is nearer to infinity than to the largest is infinite
  assert.equal(floatToHalf(1 + 2 ** -11), 0x3c00);
  assert.equal(floatToHalf(1 + 3 * 2 ** -11), 0x3c02);
  assert.equal(floatToHalf(65_520), 0x7c00);
});
