import assert from 'node:assert/strict';
import test from 'node:test';
import { pool, type Tile, valueAt, wholeTile } from '../../webviews/charts/grid.js';
import { movedCell } from '../../webviews/charts/moves.js';
import { halvings } from '../../webviews/charts/tileImages.js';
import { range } from '../../webviews/charts/useScroll.js';
import { cellAt, clampPan, type Frame, fitGrid, reveal, visible, zoomAt } from '../../webviews/charts/viewport.js';

test('pooling keeps the value of largest magnitude with its sign, and what is not finite', () => {
  const tile = wholeTile(2, 5, [1, -3, 2, 2, 9, 0, 2, Number.NaN, -1, 0]);
  const { rows, cols, data, col1 } = pool(tile, 2, 2);
  assert.deepEqual([rows, cols], [1, 3]);
  assert.deepEqual(Array.from(data), [-3, Number.NaN, 9]);
  // The third cell stands for one column but is as wide as the others.
  assert.equal(col1, 6);
});

test('cells are halved until they are seen, and never when there are none', () => {
  assert.deepEqual([halvings(1, 100), halvings(0.3, 100), halvings(1e-6, 100)], [0, 2, 7]);
  // Without rows the size of a cell is 0 / 0, or 0.
  assert.deepEqual([halvings(Number.NaN, 0), halvings(0, 0), halvings(0.1, 1)], [0, 0, 0]);
});

test('the value at a cell is that of the finest tile that covers it', () => {
  const coarse: Tile = { row0: 0, row1: 4, col0: 0, col1: 4, rows: 2, cols: 2, data: [1, 2, 3, 4] };
  const fine: Tile = { row0: 2, row1: 3, col0: 2, col1: 4, rows: 1, cols: 2, data: [7, 8] };
  assert.equal(valueAt([coarse, fine], { row: 0, col: 3 }), 2);
  assert.equal(valueAt([coarse, fine], { row: 2, col: 3 }), 8);
  assert.equal(valueAt([coarse, fine], { row: 3, col: 3 }), 4);
  assert.equal(valueAt([fine], { row: 0, col: 0 }), undefined);
});

const frame: Frame = { width: 700, height: 300, rows: 40, cols: 60, shape: 'square', largest: 64 };

test('the whole grid is fitted with whole pixels a cell; larger ones than the frame with fractions', () => {
  assert.equal(fitGrid(frame).cellWidth, 7);
  assert.equal(fitGrid({ ...frame, rows: 1000, cols: 1000 }).cellHeight, 0.3);
  const strip = fitGrid({ ...frame, shape: 'strip', rows: 3 });
  assert.deepEqual([strip.cellHeight, strip.cellWidth], [100, 700 / 60]);
});

test('the cell under the pointer stays there while zooming in and out again', () => {
  const filled = { ...frame, width: 420, height: 280 };
  let view = fitGrid(filled);
  const under = cellAt(filled, view, 201, 102);
  assert.deepEqual(under, { row: 14, col: 28 });
  for (const factor of [1.5, 1.5, 1.1, 2]) {
    view = zoomAt(filled, view, factor, 201, 102);
    assert.deepEqual(cellAt(filled, view, 201, 102), under);
    assert.equal(view.cellWidth, Math.floor(view.cellWidth));
  }
  for (let i = 0; i < 20; i++) view = zoomAt(filled, view, 1 / 1.5, 201, 102);
  assert.deepEqual(view, fitGrid(filled));
});

test('a small step of zoom is not swallowed by rounding', () => {
  const view = fitGrid(frame);
  assert.ok(zoomAt(frame, view, 1.01, 0, 0).cellWidth > view.cellWidth);
});

test('panning stops at the edges, revealing moves as little as needed', () => {
  const zoomed = zoomAt(frame, fitGrid(frame), 4, 0, 0);
  assert.equal(clampPan(frame, { ...zoomed, x: 50, y: -1e6 }).x, 0);
  assert.equal(clampPan(frame, { ...zoomed, x: 50, y: -1e6 }).y, 300 - 40 * zoomed.cellHeight);
  assert.deepEqual(reveal(frame, zoomed, { row: 3, col: 3 }), zoomed);
  const shown = visible(frame, reveal(frame, zoomed, { row: 20, col: 59 }));
  assert.ok(shown.row0 <= 20 && shown.row1 > 20 && shown.col1 === 60);
});

test('outside the grid there is no cell', () => {
  assert.equal(cellAt(frame, fitGrid(frame), 60 * 7 + 1, 5), null);
  assert.equal(cellAt(frame, fitGrid(frame), -1, 5), null);
});

const key = (name: string, more: object = {}) =>
  ({ key: name, altKey: false, ctrlKey: false, metaKey: false, shiftKey: false, ...more }) as KeyboardEvent;

test('keys walk the cells and stop at the edges', () => {
  const from = { row: 2, col: 3 };
  const moved = (name: string, more: object = {}) => movedCell(key(name, more), from, 10, 20, 4);
  assert.deepEqual(moved('ArrowLeft'), { row: 2, col: 2 });
  assert.deepEqual(moved('ArrowUp', { shiftKey: true }), { row: 0, col: 3 });
  assert.deepEqual(moved('PageDown'), { row: 6, col: 3 });
  assert.deepEqual(moved('End'), { row: 2, col: 19 });
  assert.deepEqual(moved('End', { ctrlKey: true }), { row: 9, col: 19 });
  assert.equal(moved('x'), null);
  assert.equal(moved('ArrowLeft', { altKey: true }), null);
});

test('a table of ten thousand rows draws those on screen and a few more', () => {
  assert.deepEqual(range(110_000, 440, 22, 10_000), [4996, 5024]);
  assert.deepEqual(range(0, 440, 22, 3), [0, 3]);
  assert.deepEqual(range(1e9, 440, 22, 10), [10, 10]);
});
