import { pool, type Tile, type Window } from './grid.js';
import { type ColourScale, paint } from './scale.js';

/** A picture with one pixel a cell, and where it lies in the grid. */
export interface TileImage {
  readonly source: Tile;
  readonly canvas: OffscreenCanvas;
}

/** Canvases have a largest side; beyond it only what is on screen is painted. */
const LARGEST_SIDE = 8192;

/** Smallest side of a pooled cell in device pixels. */
const SMALLEST = 0.75;

/** One tile at halved heights and widths, each painted once: panning and zooming then only copy pixels. */
export class TileImages {
  readonly #pooled = new Map<string, Tile>();
  readonly #images = new Map<Tile, TileImage>();

  constructor(
    readonly tile: Tile,
    readonly scale: ColourScale,
    /** Small values let through what lies below. */
    readonly veil = false,
  ) {}

  /** The finest image whose cells are not too small to see at this cell size (device pixels). `view` is what must be covered. */
  at(cellWidth: number, cellHeight: number, view: Window): TileImage {
    const { row0, row1, col0, col1, rows, cols } = this.tile;
    const pooled = this.#pool(
      halvings((cellHeight * (row1 - row0)) / rows, rows),
      halvings((cellWidth * (col1 - col0)) / cols, cols),
    );
    if (pooled.cols > LARGEST_SIDE || pooled.rows > LARGEST_SIDE) return image(crop(pooled, view), this.scale, this.veil);
    const made = this.#images.get(pooled) ?? image(pooled, this.scale, this.veil);
    this.#images.set(pooled, made);
    return made;
  }

  #pool(byRows: number, byCols: number): Tile {
    if (byRows === 0 && byCols === 0) return this.tile;
    const key = `${byRows} ${byCols}`;
    const made =
      this.#pooled.get(key) ?? (byRows > 0 ? pool(this.#pool(byRows - 1, byCols), 2, 1) : pool(this.#pool(0, byCols - 1), 1, 2));
    this.#pooled.set(key, made);
    return made;
  }
}

/** How often `count` cells of `size` device pixels must be halved to be seen; a cache that has just begun a new chunk has no cells. */
export const halvings = (size: number, count: number): number =>
  size >= SMALLEST || count < 2 ? 0 : Math.min(Math.ceil(Math.log2(SMALLEST / size)), Math.ceil(Math.log2(count)));

/** How much of the least and of the largest value is seen over an image. */
const VEIL = [0.25, 0.9] as const;

function image(source: Tile, scale: ColourScale, veil: boolean): TileImage {
  const pixels = new ImageData(Math.max(1, source.cols), Math.max(1, source.rows));
  paint(source.data, scale, pixels.data);
  if (veil)
    for (let i = 0; i < source.data.length; i++)
      pixels.data[4 * i + 3] = 255 * (VEIL[0] + (VEIL[1] - VEIL[0]) * (scale.position(source.data[i] ?? 0) || 0));
  const canvas = new OffscreenCanvas(pixels.width, pixels.height);
  canvas.getContext('2d')?.putImageData(pixels, 0, 0);
  return { source, canvas };
}

/** Cells of the tile that touch the window. */
function crop(tile: Tile, view: Window): Tile {
  const perRow = (tile.row1 - tile.row0) / tile.rows;
  const perCol = (tile.col1 - tile.col0) / tile.cols;
  const r0 = Math.max(0, Math.floor((view.row0 - tile.row0) / perRow));
  const r1 = Math.min(tile.rows, Math.ceil((view.row1 - tile.row0) / perRow));
  const c0 = Math.max(0, Math.floor((view.col0 - tile.col0) / perCol));
  const c1 = Math.min(tile.cols, Math.ceil((view.col1 - tile.col0) / perCol), c0 + LARGEST_SIDE);
  const [rows, cols] = [Math.max(0, r1 - r0), Math.max(0, c1 - c0)];
  const data = new Float32Array(rows * cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) data[r * cols + c] = tile.data[(r0 + r) * tile.cols + c0 + c] ?? 0;
  }
  const [row0, col0] = [tile.row0 + r0 * perRow, tile.col0 + c0 * perCol];
  return { row0, col0, row1: row0 + rows * perRow, col1: col0 + cols * perCol, rows, cols, data };
}
