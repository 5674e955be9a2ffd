import assert from 'node:assert/strict';
import test from 'node:test';
import { NOT_FINITE, signs, TABLE_SIZE, table } from '../../webviews/charts/palette.js';
import { colourScale, cssColour, paint, quantile, type ScaleSettings, spread } from '../../webviews/charts/scale.js';

const LINEAR: ScaleSettings = { log: false, clip: 1 };

/** Relative luminance of WCAG 2.2. */
function luminance(colours: Uint8ClampedArray, index: number): number {
  const [r = 0, g = 0, b = 0] = Array.from(colours.subarray(4 * index, 4 * index + 3), (byte) => {
    const x = byte / 255;
    return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

test('magnitudes are in order without hue: luminance only rises on dark ground and only falls on light', () => {
  for (const [ground, sign] of [
    ['dark', 1],
    ['light', -1],
  ] as const) {
    const colours = table('sequential', ground);
    for (let i = 1; i < TABLE_SIZE; i++) {
      assert.ok(sign * (luminance(colours, i) - luminance(colours, i - 1)) > -1e-3, `${ground} ${i}`);
    }
    assert.ok(Math.abs(luminance(colours, 255) - luminance(colours, 0)) > 0.7);
  }
});

test('both signs are equally strong: luminance of the diverging ends differs by little, the middle has no hue', () => {
  for (const ground of ['dark', 'light'] as const) {
    const colours = table('diverging', ground);
    assert.ok(Math.abs(luminance(colours, 0) - luminance(colours, 255)) < 0.08, ground);
    const [r = 0, g = 0, b = 0] = colours.subarray(4 * 127, 4 * 127 + 3);
    assert.ok(Math.max(r, g, b) - Math.min(r, g, b) <= 6);
  }
});

/** Largest difference between two CSS colours in a channel. */
const distance = (a: string, b: string): number => {
  const [from, to] = [a, b].map((colour) => (colour.match(/\d+/g) ?? []).map(Number)) as [number[], number[]];
  return Math.max(...from.map((channel, i) => Math.abs(channel - (to[i] ?? Number.NaN))));
};

test('bars of a sign have a colour that a heat map gives to values of that sign', () => {
  for (const ground of ['dark', 'light'] as const) {
    const values = spread([[-3, 3]]);
    const scale = colourScale('diverging', values, LINEAR, ground);
    const { negative, positive } = signs(ground);
    assert.notEqual(negative, positive);
    assert.ok(distance(cssColour(scale, -2), negative) <= 3, negative);
    assert.ok(distance(cssColour(scale, 2), positive) <= 3, positive);
  }
});

test('quantiles are those of numpy (linear interpolation)', () => {
  const sorted = [1, 2, 4, 8, 16];
  assert.equal(quantile(sorted, 0), 1);
  assert.equal(quantile(sorted, 0.5), 4);
  assert.equal(quantile(sorted, 0.9), 12.8);
  assert.equal(quantile(sorted, 1), 16);
  assert.equal(quantile([], 0.5), 0);
});

test('the spread counts what is not finite and leaves it out', () => {
  const { min, max, count, notFinite, magnitudes } = spread([new Float32Array([3, -4, Number.NaN]), [Infinity, 0.5]]);
  assert.deepEqual({ min, max, count, notFinite }, { min: -4, max: 3, count: 3, notFinite: 2 });
  assert.deepEqual(Array.from(magnitudes), [0.5, 3, 4]);
});

test('one outlier does not take all the colours when the scale is clipped at a quantile', () => {
  const values = Float32Array.from({ length: 10_001 }, (_, i) => (i === 5000 ? 1e6 : i / 10_000));
  const scale = colourScale('sequential', spread([values]), { log: false, clip: 0.99 }, 'dark');
  assert.ok(scale.hi < 1 && scale.hi > 0.97);
  assert.equal(scale.position(1e6), 1);
});

test('positions and values undo each other on every kind of scale', () => {
  const values = spread([Float32Array.from({ length: 1000 }, (_, i) => (i - 500) / 50)]);
  for (const kind of ['sequential', 'diverging'] as const) {
    for (const log of [false, true]) {
      const scale = colourScale(kind, values, { log, clip: 1 }, 'dark');
      for (const position of [0.03, 0.25, 0.5, 0.6, 0.97]) {
        assert.ok(Math.abs(scale.position(scale.value(position)) - position) < 1e-9, `${kind} ${log} ${position}`);
      }
    }
  }
});

test('zero is in the middle of a diverging scale, also of a logarithmic one', () => {
  const values = spread([[-1, 1e-3, 5]]);
  for (const log of [false, true]) {
    const scale = colourScale('diverging', values, { log, clip: 1 }, 'light');
    assert.equal(scale.position(0), 0.5);
    assert.equal(scale.position(5), 1);
    assert.equal(scale.position(-5), 0);
  }
});

test('each decade has the same share of a logarithmic scale', () => {
  const scale = colourScale('sequential', spread([[0.01, 0.1, 1, 10]]), { log: true, clip: 1 }, 'dark');
  assert.deepEqual(
    [0.01, 0.1, 1, 10].map((value) => Math.round(scale.position(value) * 3000) / 1000),
    [0, 1, 2, 3],
  );
});

test('NaN and infinities are painted in the colour of no value', () => {
  const scale = colourScale('diverging', spread([[1]]), LINEAR, 'dark');
  const pixels = new Uint8ClampedArray(12);
  paint([Number.NaN, -Infinity, 0], scale, pixels);
  const none = [...NOT_FINITE.dark, 255];
  assert.deepEqual(Array.from(pixels.subarray(0, 4)), none);
  assert.deepEqual(Array.from(pixels.subarray(4, 8)), none);
  assert.notDeepEqual(Array.from(pixels.subarray(8, 12)), none);
});

test('all zeros, one value and nothing at all still make a scale', () => {
  for (const values of [[0, 0, 0], [2], []]) {
    for (const log of [false, true]) {
      const scale = colourScale('sequential', spread([values]), { log, clip: 0.99 }, 'dark');
      assert.ok(scale.hi > scale.lo);
      for (const value of values) assert.ok(scale.position(value) >= 0 && scale.position(value) <= 1);
    }
  }
});
