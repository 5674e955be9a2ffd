import { type AttentionTile, coarsestLevel, TILE } from '../protocol/attention.js';
import type { RowNorms } from '../runtime/attentionRows.js';
import type { RunView, Watched } from '../runtime/view.js';
import type { Range } from '../tensor/ranges.js';
import type { Analysis } from './analysis.js';
import { knownOutline, outlineHead } from './attentionScan.js';
import { CellPicture, meanOf } from './cellPicture.js';
import { sampleRows } from './sampledRows.js';
import { attentionOf, checkIndex, countedTokens, provenance } from './subject.js';

/** Rows whose normalisation is computed for a tile alone; for more, the whole head is looked at once. */
const FEW_ROWS = 4 * TILE;
/** Keys in a cell where only the normalisation of rows is of interest. */
const WIDE = 64;
/** Queries of a sketch. */
const SKETCHED = 64;

interface Subject {
  readonly layer: number;
  readonly head: number;
  readonly count: number;
}

/** One tile of one level of a head's map. Errors: TILE_UNKNOWN. */
export const tile: Analysis<'attention/tile'> = async (view, params, watched) => {
  const started = performance.now();
  const { layer, head, level, pool } = params;
  checkIndex('head', head, attentionOf(view, layer).heads);
  const tokens = countedTokens(view, params.count);
  const cell = 2 ** level;
  const [queries, keys] = [params.row, params.col].map((at): Range => {
    checkIndex('tile', at, Math.ceil(tokens / (TILE * cell)));
    return { from: at * TILE * cell, to: Math.min((at + 1) * TILE * cell, tokens) };
  }) as [Range, Range];
  const subject = { layer, head, count: tokens };
  const picture =
    level >= coarsestLevel(tokens)
      ? await wholeHead(view, subject, cell, watched)
      : await view.memo(
          `tile/${layer}.${head}/${tokens}/${level}/${params.row}.${params.col}`,
          watched,
          (shared) => computed(view, subject, new CellPicture(queries, keys, cell), shared),
          ({ max, sum }) => max.byteLength + sum.byteLength,
        );
  return { ...told(picture, pool), sampled: null, provenance: provenance(view, `blocks.${layer}.attn.pattern`, started) };
};

/** A sketch of the whole head: some queries evenly spaced, with all the keys they see. */
export const preview: Analysis<'attention/preview'> = async (view, { layer, head, count, pool }, { signal }) => {
  const started = performance.now();
  checkIndex('head', head, attentionOf(view, layer).heads);
  const tokens = countedTokens(view, count);
  const cell = 2 ** coarsestLevel(tokens);
  const all = { from: 0, to: tokens };
  const rows = Math.min(tokens, SKETCHED);
  const picture = new CellPicture(all, all, cell);
  const weights = new Float32Array(rows * picture.cols);
  await sampleRows(view, layer, { from: head, to: head + 1 }, { tokens, rows, pool: cell }, signal, (strip, row) => {
    const shift = strip.keys.from / cell;
    const held = (at: number) => Math.min(cell, tokens - strip.keys.from - at * cell);
    const values = pool === 'max' ? strip.max : strip.sum.map((sum, at) => sum / held(at));
    weights.set(values.subarray(0, Math.min(values.length, picture.cols - shift)), row * picture.cols + shift);
  });
  return {
    weights: { shape: [rows, picture.cols], data: weights },
    queries: [0, tokens],
    keys: [0, tokens],
    sampled: rows < tokens ? rows : null,
    provenance: provenance(view, `blocks.${layer}.attn.pattern`, started),
  };
};

const told = (picture: CellPicture, pool: 'mean' | 'max'): Pick<AttentionTile, 'weights' | 'queries' | 'keys'> => ({
  weights: { shape: [picture.rows, picture.cols], data: pool === 'max' ? picture.max.slice() : meanOf(picture) },
  queries: [picture.queries.from, picture.queries.to],
  keys: [picture.keys.from, picture.keys.to],
});

/** The tile of the whole head; levels above it have fewer cells. */
async function wholeHead(view: RunView, { layer, head, count }: Subject, cell: number, watched: Watched): Promise<CellPicture> {
  const { picture } = await outlineHead(view, layer, head, count, watched);
  return picture.coarser(cell / picture.pool);
}

async function computed(view: RunView, subject: Subject, picture: CellPicture, watched: Watched): Promise<CellPicture> {
  const { queries: rows, keys, pool } = picture;
  const norms = await normsOf(view, subject, rows, watched);
  const reader = view.attention(subject.layer);
  await reader.part({ rows, keys, head: subject.head, pool, norms }, (strip) => picture.add(strip), watched.signal);
  return picture;
}

/** How these rows are normalised. A few are computed at once: who zooms in need not wait for all of a long run. */
async function normsOf(view: RunView, { layer, head, count }: Subject, rows: Range, watched: Watched): Promise<RowNorms> {
  const known = knownOutline(view, layer, head, count);
  if (known) return known.norms;
  if (rows.to - rows.from > FEW_ROWS) return (await outlineHead(view, layer, head, count, watched)).norms;
  const make = async ({ signal }: Watched): Promise<RowNorms> => {
    const length = rows.to - rows.from;
    const norms = { first: rows.from, top: new Float32Array(length), total: new Float32Array(length) };
    await view.attention(layer).outline(
      { rows, heads: { from: head, to: head + 1 }, pool: WIDE },
      (strip) => {
        norms.top.set(strip.norms.top, strip.rows.from - rows.from);
        norms.total.set(strip.norms.total, strip.rows.from - rows.from);
      },
      signal,
    );
    return norms;
  };
  return view.memo(`norms/${layer}.${head}/${rows.from}-${rows.to}`, watched, make, ({ top }) => 2 * top.byteLength);
}
