import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeTile } from '../../webviews/charts/grid.js';
import { fitsClipboard, tabbedMatrix, tabbedRows } from '../../webviews/charts/tabbed.js';

test('a table of numbers is text that a program reads', () => {
  const values = [1.5, -0.25];
  const text = tabbedRows({
    label: 'k',
    rowName: 'dimension',
    rowLabel: (row) => `a\tb${row}`,
    columns: ['value'],
    rows: 2,
    text: (row) => String(values[row]).replace('-', '−'),
  });
  assert.equal(text, 'dimension\tvalue\na b0\t1.5\na b1\t-0.25');
});

test('a matrix keeps the digits of fp32, and leaves out what is masked or not there', () => {
  const data = Float32Array.of(0.1, 7, -1 / 3, 2 ** -30);
  const matrix = { rows: 2, cols: 3, tiles: [wholeTile(2, 2, data)], rowName: 'query', colName: 'key' };
  const cells = tabbedMatrix(matrix)
    .split('\n')
    .map((line) => line.split('\t'));
  assert.deepEqual(cells[0], ['query \\ key', '0', '1', '2']);
  assert.deepEqual(
    cells.slice(1).map(([, ...row]) => row.slice(0, 2).map((cell) => Math.fround(Number(cell)))),
    [
      [data[0], data[1]],
      [data[2], data[3]],
    ],
  );
  assert.equal(cells[1]?.[3], '');
  assert.equal(tabbedMatrix({ ...matrix, lower: true }).split('\n')[1], '0\t0.100000001\t\t');
  // a tile of the whole that stands for 2 × 3 cells says nothing of one of them
  const pooled = { ...wholeTile(2, 3, data), rows: 1, cols: 1 };
  assert.equal(tabbedMatrix({ ...matrix, tiles: [pooled, ...matrix.tiles] }).split('\n')[1], '0\t0.100000001\t7\t');
  assert.ok(fitsClipboard(matrix));
  assert.ok(!fitsClipboard({ ...matrix, tiles: [pooled] }));
  assert.ok(!fitsClipboard({ ...matrix, rows: 513, cols: 512 }));
});
