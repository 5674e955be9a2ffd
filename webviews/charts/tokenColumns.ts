import { axis, axisPixels, reveal, scrollBy, zoomBy } from '../frame/axis.js';
import type { SharedColumns } from './heatmapProps.js';

/** The token strip's axis as columns of a chart. Read in a component, it follows the strip. */
export function tokenColumns(count: number): SharedColumns {
  const { first, width } = axis.value;
  return {
    first,
    width,
    pixels: axisPixels.value,
    zoomBy: (factor, x) => zoomBy(factor, x, count),
    scrollBy: (pixels) => scrollBy(pixels, count),
    reveal: (col) => reveal(col, count),
  };
}
