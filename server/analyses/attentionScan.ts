import { type AttentionEdge, coarsestLevel, type HeadScores } from '../protocol/attention.js';
import type { AttentionRows, RowNorms } from '../runtime/attentionRows.js';
import type { RunView, Watched } from '../runtime/view.js';
import { cut, positions, type Range } from '../tensor/ranges.js';
import { CellPicture } from './cellPicture.js';
import { HeadTally } from './headScores.js';
import { StrongestEdges } from './strongestEdges.js';

/** Queries between two looks at whether anybody still waits. */
const STRETCH = 256;

/** All that one pass over a head's attention tells; what grows is linear in the tokens. */
export interface HeadScan {
  readonly norms: RowNorms;
  /** The whole head as one tile. */
  readonly picture: CellPicture;
  /** Σ weights that each token gets, and what it gives to itself: [T]. */
  readonly received: Float32Array;
  readonly self: Float32Array;
  readonly scores: HeadScores;
  readonly edges: readonly AttentionEdge[];
}

/** Each head is kept by itself. */
const notKept = () => Number.POSITIVE_INFINITY;

const keyOf = (layer: number, head: number, tokens: number): string => `scan/${layer}.${head}/${tokens}`;

export const knownScan = (view: RunView, layer: number, head: number, tokens: number): HeadScan | undefined =>
  view.known<HeadScan>(keyOf(layer, head, tokens));

/** One head over the first `tokens` tokens. */
export async function scanHead(view: RunView, layer: number, head: number, tokens: number, watched: Watched): Promise<HeadScan> {
  const [scan] = await scanHeads(view, layer, { from: head, to: head + 1 }, tokens, watched);
  return scan as HeadScan;
}

/** Several heads of a layer in one pass: those that share keys are scored together. What is known is not computed again. */
export async function scanHeads(
  view: RunView,
  layer: number,
  heads: Range,
  tokens: number,
  watched: Watched,
): Promise<readonly HeadScan[]> {
  const found = new Map(positions(heads).map((head) => [head, knownScan(view, layer, head, tokens)]));
  const missing = positions(heads).filter((head) => !found.get(head));
  const [first, last] = [missing[0], missing.at(-1)];
  if (first !== undefined && last !== undefined) {
    const range = { from: first, to: last + 1 };
    const key = `scans/${layer}.${range.from}-${range.to}/${tokens}`;
    const scans = await view.memo(key, watched, (shared) => pass(view, layer, range, tokens, shared), notKept);
    for (const [i, scan] of scans.entries()) found.set(first + i, scan);
  }
  return positions(heads).map((head) => found.get(head) as HeadScan);
}

async function pass(view: RunView, layer: number, heads: Range, tokens: number, watched: Watched): Promise<readonly HeadScan[]> {
  const passes = positions(heads).map(() => new HeadPass(view.ids, tokens));
  const reader = view.attention(layer);
  const pool = 2 ** coarsestLevel(tokens);
  for (const rows of cut({ from: 0, to: tokens }, STRETCH)) {
    await reader.whole({ rows, heads, pool }, (strip) => passes[strip.head - heads.from]?.add(strip), watched.signal);
    watched.progress(rows.to, tokens, `attention of layer ${layer}`);
  }
  const scans = passes.map((each) => each.result());
  for (const [i, value] of scans.entries())
    view.keep({ key: keyOf(layer, heads.from + i, tokens), value, bytes: bytesOf(value) });
  return scans;
}

function bytesOf({ norms, picture, received, self, edges }: HeadScan): number {
  const arrays = [norms.top, norms.total, picture.max, picture.sum, received, self];
  return arrays.reduce((bytes, { byteLength }) => bytes + byteLength, edges.length * 64);
}

/** Adds up the strips of one head, which come in the order of their rows. */
class HeadPass {
  readonly #top: Float32Array;
  readonly #total: Float32Array;
  readonly #self: Float32Array;
  readonly #received: Float64Array;
  readonly #picture: CellPicture;
  readonly #tally: HeadTally;
  readonly #edges = new StrongestEdges();

  constructor(
    ids: readonly number[],
    private readonly tokens: number,
  ) {
    [this.#top, this.#total, this.#self] = [new Float32Array(tokens), new Float32Array(tokens), new Float32Array(tokens)];
    this.#received = new Float64Array(tokens);
    const all = { from: 0, to: tokens };
    this.#picture = new CellPicture(all, all, 2 ** coarsestLevel(tokens));
    this.#tally = new HeadTally(ids, tokens);
  }

  add(strip: AttentionRows): void {
    const { rows, keys, norms, received } = strip;
    this.#top.set(norms.top, rows.from);
    this.#total.set(norms.total, rows.from);
    this.#self.set(strip.self, rows.from);
    for (let key = keys.from; key < Math.min(keys.to, this.tokens); key++)
      this.#received[key] = (this.#received[key] as number) + (received[key - keys.from] as number);
    this.#picture.add(strip);
    this.#tally.add(strip);
    this.#edges.add(strip);
  }

  result(): HeadScan {
    return {
      norms: { first: 0, top: this.#top, total: this.#total },
      picture: this.#picture,
      received: Float32Array.from(this.#received),
      self: this.#self,
      scores: this.#tally.scores(),
      edges: this.#edges.list,
    };
  }
}
