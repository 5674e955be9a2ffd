import { type AttentionEdge, coarsestLevel, type HeadScores } from '../protocol/attention.js';
import type { AttentionRows, OutlinedRows, RowNorms } from '../runtime/attentionRows.js';
import type { RunView, Watched } from '../runtime/view.js';
import { cut, positions, type Range } from '../tensor/ranges.js';
import { CellPicture } from './cellPicture.js';
import { HeadTally } from './headScores.js';
import { StrongestEdges } from './strongestEdges.js';

/** Queries between two looks at whether anybody still waits. */
const STRETCH = 256;

/** What every finer look at a head begins with; what grows is linear in the tokens. */
export interface HeadOutline {
  readonly norms: RowNorms;
  /** The whole head as one tile. */
  readonly picture: CellPicture;
}

/** All that one pass over a head's attention tells. */
export interface HeadScan extends HeadOutline {
  /** Σ weights that each token gets, and what it gives to itself: [T]. */
  readonly received: Float32Array;
  readonly self: Float32Array;
  readonly scores: HeadScores;
  readonly edges: readonly AttentionEdge[];
}

/** Each head is kept by itself. */
const notKept = () => Number.POSITIVE_INFINITY;

const keyOf = (what: 'scan' | 'outline', layer: number, head: number, tokens: number): string =>
  `${what}/${layer}.${head}/${tokens}`;

const knownScan = (view: RunView, layer: number, head: number, tokens: number): HeadScan | undefined =>
  view.known<HeadScan>(keyOf('scan', layer, head, tokens));

export const knownOutline = (view: RunView, layer: number, head: number, tokens: number): HeadOutline | undefined =>
  knownScan(view, layer, head, tokens) ?? view.known<HeadOutline>(keyOf('outline', layer, head, tokens));

/** One head over the first `tokens` tokens, at less than half of what a scan costs. */
export async function outlineHead(
  view: RunView,
  layer: number,
  head: number,
  tokens: number,
  watched: Watched,
): Promise<HeadOutline> {
  const known = knownScan(view, layer, head, tokens);
  if (known) return known;
  const make = async (shared: Watched): Promise<HeadOutline> => {
    const outline = new Outline(tokens);
    const reader = view.attention(layer);
    const heads = { from: head, to: head + 1 };
    for (const rows of cut({ from: 0, to: tokens }, STRETCH)) {
      await reader.outline({ rows, heads, pool: outline.picture.pool }, (strip) => outline.add(strip), shared.signal);
      shared.progress(rows.to, tokens, `attention of head ${layer}.${head}`);
    }
    return outline;
  };
  return view.memo(keyOf('outline', layer, head, tokens), watched, make, bytesOf);
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
    const scans = await view.memo(key, watched, (shared) => scan(view, layer, range, tokens, shared), notKept);
    for (const [i, each] of scans.entries()) found.set(first + i, each);
  }
  return positions(heads).map((head) => found.get(head) as HeadScan);
}

async function scan(view: RunView, layer: number, heads: Range, tokens: number, watched: Watched): Promise<readonly HeadScan[]> {
  const passes = positions(heads).map(() => new HeadPass(view.ids, tokens));
  const reader = view.attention(layer);
  const pool = 2 ** coarsestLevel(tokens);
  for (const rows of cut({ from: 0, to: tokens }, STRETCH)) {
    await reader.whole({ rows, heads, pool }, (strip) => passes[strip.head - heads.from]?.add(strip), watched.signal);
    watched.progress(rows.to, tokens, `attention of layer ${layer}`);
  }
  const all = { from: 0, to: tokens };
  const wholeRow = ({ outline: { norms }, edges }: HeadPass, head: number, query: number) => {
    const request = { rows: { from: query, to: query + 1 }, keys: all, head, pool: 1, norms };
    return reader.part(request, (strip) => edges.addWhole(strip), watched.signal);
  };
  await Promise.all(passes.flatMap((pass, i) => pass.edges.cutRows.map((query) => wholeRow(pass, heads.from + i, query))));
  const scans = passes.map((each) => each.result());
  for (const [i, value] of scans.entries()) {
    const { received, self, edges } = value;
    const bytes = bytesOf(value) + received.byteLength + self.byteLength + edges.length * 64;
    view.keep({ key: keyOf('scan', layer, heads.from + i, tokens), value, bytes });
  }
  return scans;
}

const bytesOf = ({ norms, picture }: HeadOutline): number =>
  [norms.top, norms.total, picture.max, picture.sum].reduce((bytes, { byteLength }) => bytes + byteLength, 0);

/** Adds up the strips of one head, which come in the order of their rows. */
class Outline implements HeadOutline {
  readonly norms: RowNorms;
  readonly picture: CellPicture;

  constructor(tokens: number) {
    this.norms = { first: 0, top: new Float32Array(tokens), total: new Float32Array(tokens) };
    const all = { from: 0, to: tokens };
    this.picture = new CellPicture(all, all, 2 ** coarsestLevel(tokens));
  }

  add(strip: OutlinedRows): void {
    this.norms.top.set(strip.norms.top, strip.rows.from);
    this.norms.total.set(strip.norms.total, strip.rows.from);
    this.picture.add(strip);
  }
}

class HeadPass {
  readonly outline: Outline;
  readonly #self: Float32Array;
  readonly #received: Float64Array;
  readonly #tally: HeadTally;
  readonly edges = new StrongestEdges();

  constructor(
    ids: readonly number[],
    private readonly tokens: number,
  ) {
    this.outline = new Outline(tokens);
    this.#self = new Float32Array(tokens);
    this.#received = new Float64Array(tokens);
    this.#tally = new HeadTally(ids, tokens);
  }

  add(strip: AttentionRows): void {
    const { rows, keys, received } = strip;
    this.outline.add(strip);
    this.#self.set(strip.self, rows.from);
    for (let key = keys.from; key < Math.min(keys.to, this.tokens); key++)
      this.#received[key] = (this.#received[key] as number) + (received[key - keys.from] as number);
    this.#tally.add(strip);
    this.edges.add(strip);
  }

  result(): HeadScan {
    const { norms, picture } = this.outline;
    return {
      norms,
      picture,
      received: Float32Array.from(this.#received),
      self: this.#self,
      scores: this.#tally.scores(),
      edges: this.edges.list,
    };
  }
}
