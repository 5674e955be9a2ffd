import { signal } from '@preact/signals';
import type { SharedColumns } from '../charts/heatmapProps.js';
import { tokenColumns } from '../charts/tokenColumns.js';
import { axis, axisPixels, fitAll, zoomBy } from '../frame/axis.js';

/** Topmost query on screen, fractional; queries have the scale of the keys' axis. */
export const rowFirst = signal(0);
/** CSS height of the map, and the height it may have; 0 before they are laid out. */
export const rowPixels = signal(0);
export const rowRoom = signal(0);

/** The whole square of queries and keys. */
export function fitMap(count: number): void {
  fitAll(count, Math.min(axisPixels.value, rowRoom.value));
  rowFirst.value = 0;
}

const clampRow = (first: number, count: number): number =>
  Math.max(0, Math.min(first, count - Math.max(1, rowPixels.value / axis.value.width)));

const revealRow = (row: number, count: number): void => {
  const visible = rowPixels.value / axis.value.width;
  if (row < rowFirst.value) rowFirst.value = row;
  else if (row + 1 > rowFirst.value + visible) rowFirst.value = clampRow(row + 1 - visible, count);
};

/** The token strip as keys from left to right, and queries of the same scale downwards. */
export function queryKeyAxes(count: number): SharedColumns {
  const columns = tokenColumns(count);
  return {
    ...columns,
    zoomBy: (factor, x, y) => {
      const before = axis.value.width;
      const under = rowFirst.value + y / before;
      zoomBy(factor, x, count, Math.min(axisPixels.value, rowRoom.value));
      rowFirst.value = clampRow(under - y / axis.value.width, count);
    },
    rows: {
      first: clampRow(rowFirst.value, count),
      scrollBy: (pixels) => {
        rowFirst.value = clampRow(rowFirst.value + pixels / axis.value.width, count);
      },
      reveal: (row) => revealRow(row, count),
      showAll: () => fitMap(count),
    },
  };
}
