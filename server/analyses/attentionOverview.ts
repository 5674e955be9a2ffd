import type { HeadScores } from '../protocol/inspect.js';
import type { RunView } from '../runtime/view.js';
import { cellsOver } from '../tensor/grid.js';
import { entropyBits } from '../tensor/reduce.js';
import type { Analysis } from './analysis.js';
import { type Band, eachBand, reachOf, rowStart } from './bands.js';
import { attentionOf, provenance } from './subject.js';

/** A small picture of every head of a layer, and what kind of head it is. */
export const thumbnails: Analysis<'attention/thumbnails'> = async (view, { layer, size }, context) => {
  const started = performance.now();
  const { heads, kvHeads } = attentionOf(view, layer);
  const T = view.ids.length;
  const pixels = new Uint8Array(heads * size * size);
  const cells = cellsOver(0, T, size);
  const tallies = Array.from({ length: heads }, () => new HeadTally(view.ids));
  await eachBand(view, layer, { from: 0, to: T }, context, (band) => {
    for (const [head, tally] of tallies.entries()) {
      const reach = (query: number) => reachOf(view, layer, query);
      draw(band, head, cells, reach, pixels.subarray(head * size * size, (head + 1) * size * size));
      for (let query = band.from; query < band.to; query++) {
        const at = rowStart(band, head, query);
        tally.add(query, band.data.subarray(at, at + reach(query)));
      }
    }
  });
  return {
    layer,
    heads,
    kvHeads,
    thumbnails: { shape: [heads, size, size], data: pixels },
    scores: tallies.map((tally) => tally.scores()),
    provenance: provenance(view, `blocks.${layer}.attn.pattern`, started),
  };
};

/** Largest weight in each cell, 255 = 1. */
function draw(
  band: Band,
  head: number,
  cells: ReturnType<typeof cellsOver>,
  reach: (query: number) => number,
  pixels: Uint8Array,
): void {
  const size = cells.length;
  for (const [row, { from, to }] of cells.entries())
    for (let query = Math.max(from, band.from); query < Math.min(to, band.to); query++) {
      const at = rowStart(band, head, query);
      for (const [col, keys] of cells.entries()) {
        if (keys.from >= reach(query)) break;
        let most = 0;
        for (let key = keys.from; key < Math.min(keys.to, reach(query)); key++)
          most = Math.max(most, band.data[at + key] as number);
        const pixel = row * size + col;
        pixels[pixel] = Math.max(pixels[pixel] as number, Math.round(most * 255));
      }
    }
}

/** Mean weights of a head on the places that well-known kinds of heads look at. A place that no row has scores 0. */
class HeadTally {
  #induction = 0;
  #copies = 0;
  #previous = 0;
  #sink = 0;
  #entropy = 0;
  #rows = 0;
  /** Positions of each id among the tokens before the current one. */
  readonly #seen = new Map<number, number[]>();

  constructor(private readonly ids: RunView['ids']) {}

  /** `weights` on the keys the query may look at; queries come in order. */
  add(query: number, weights: Float32Array): void {
    this.#rows++;
    this.#entropy += entropyBits(weights);
    if (query > 0) {
      this.#previous += weights[query - 1] as number;
      this.#sink += weights[0] as number;
    }
    const id = this.ids[query] as number;
    const copies = this.#seen.get(id);
    // A token does not point at itself, so that a copy right before it does not count.
    if (copies?.some((copy) => copy + 1 < query)) {
      this.#copies++;
      for (const copy of copies) if (copy + 1 < query) this.#induction += weights[copy + 1] as number;
    }
    if (copies) copies.push(query);
    else this.#seen.set(id, [query]);
  }

  scores(): HeadScores {
    const later = Math.max(1, this.#rows - 1);
    return {
      induction: this.#induction / Math.max(1, this.#copies),
      previous: this.#previous / later,
      sink: this.#sink / later,
      entropy: this.#entropy / Math.max(1, this.#rows),
    };
  }
}
