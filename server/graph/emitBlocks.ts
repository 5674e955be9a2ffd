import type { Emitter } from './emit.js';
import { type BlockPlace, type Stretch, zeroBytes } from './weightPlace.js';

/** Products with, and rows of, a matrix stored as whole numbers with scales. Letters: N outputs, K inputs, n runs of a row. */

interface Matrix {
  readonly N: number;
  readonly K: number;
  readonly n: number;
}

function sizes({ shape, turned, run }: BlockPlace): Matrix {
  const [N, K] = (turned ? [shape[1], shape[0]] : shape) as [number, number];
  return { N, K, n: Math.ceil(K / run) };
}

/** A matrix and what the product with it is called. */
export interface Factor {
  readonly place: BlockPlace;
  readonly w: string;
  readonly y: string;
}

/** True when one product can do for both: the same x meets rows that are stored alike. */
export const alike = (a: BlockPlace, b: BlockPlace): boolean =>
  a.run === b.run &&
  a.accuracy === b.accuracy &&
  (a.floors === null) === (b.floors === null) &&
  a.planes.length === b.planes.length &&
  a.planes.every(({ bits, zeros }, i) => bits === b.planes[i]?.bits && (zeros === null) === (b.planes[i]?.zeros === null));

/**
 * x Wᵀ with W [N,K], or with several whose rows are put one behind the other when the session is made. One MatMulNBits a plane; floors f meet the
 * sums of x over each run, s: y = Σ planes + s fᵀ. `rank` is that of x; null: x is one row, so that s fᵀ is added like a bias.
 */
export function blockProduct(e: Emitter, factors: readonly Factor[], x: string, rank: number | null): void {
  const [{ place: first, y: firstY }] = factors as readonly [Factor];
  const all = factors.map(({ place }) => sizes(place));
  const { K, n } = all[0] as Matrix;
  const N = all.reduce((sum, one) => sum + one.N, 0);
  const y = factors.length === 1 ? firstY : `${firstY}.joined`;
  const joined = (part: string, of: (factor: Factor, i: number) => string): string => {
    const names = factors.map(of);
    if (names.length === 1) return names[0] as string;
    e.emit('Concat', names, [`${y}.${part}`], { axis: 0 });
    return `${y}.${part}`;
  };
  const { run, accuracy } = first;
  const rows = (i: number) => (all[i] as Matrix).N;
  const scales = joined('scales', ({ place, w }, i) => e.external(`${w}.scales`, 'f32', [rows(i) * n], place.scales));
  const [floors] = whenever(first.floors !== null, () =>
    joined('floors', ({ place, w }, i) => e.external(`${w}.floors`, 'f32', [rows(i), n], place.floors as Stretch)),
  ).map((f) => productOfRows(e, f, runSums(e, x, run, n, rank), `${y}.floor`));
  const bias = rank === null ? floors : undefined;
  if (bias) emitTerm(e, bias, `${y}.bias`);
  const terms = first.planes.map(({ bits, factor, zeros }, p) => {
    const codes = joined(`codes${p}`, ({ place, w }, i) =>
      e.external(`${w}.plane${p}`, 'u8', [rows(i), n, (run * bits) / 8], place.planes[p]?.codes as Stretch),
    );
    const zero = whenever(zeros !== null, () =>
      joined(`zeros${p}`, ({ place, w }, i) =>
        e.external(`${w}.zeros${p}`, 'u8', [rows(i) * zeroBytes(n, bits)], place.planes[p]?.zeros as Stretch),
      ),
    );
    const given = factor === 1 ? x : e.once(`${x}.x${factor}`, (name) => e.scale(x, factor, name));
    const attributes = { K, N, bits, block_size: run, accuracy_level: accuracy };
    const more = bias && p === 0 ? [zero[0] ?? '', '', `${y}.bias`] : zero;
    return { op: 'MatMulNBits', inputs: [given, codes, scales, ...more], attributes, domain: 'com.microsoft' };
  });
  sumOf(e, floors && !bias ? [...terms, floors] : terms, y);
  if (factors.length === 1) return;
  const lengths = e.ints(
    `${y}.lengths`,
    all.map((one) => one.N),
  );
  e.emit(
    'Split',
    [y, lengths],
    factors.map((factor) => factor.y),
    { axis: -1 },
  );
}

const whenever = (present: boolean, make: () => string): string[] => (present ? [make()] : []);

interface Term {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, number | boolean>>;
  readonly domain: string;
}

const emitTerm = (e: Emitter, { op, inputs, attributes, domain }: Term, y: string): void =>
  e.emit(op, inputs, [y], attributes, domain);

function sumOf(e: Emitter, terms: readonly Term[], y: string): void {
  const names = terms.map((_, i) => (terms.length === 1 ? y : `${y}.term${i}`));
  for (const [i, term] of terms.entries()) emitTerm(e, term, names[i] as string);
  for (let i = 1; i < terms.length; i++) {
    const before = i === 1 ? (names[0] as string) : `${y}.sum${i - 1}`;
    e.emit('Add', [before, names[i] as string], [i === terms.length - 1 ? y : `${y}.sum${i}`]);
  }
}

/** Sums of x [..., K] over each run: [..., n]; of one row: [n]. */
const runSums = (e: Emitter, x: string, run: number, n: number, rank: number | null): string =>
  e.once(`${x}.sums${run}`, (name) => {
    const shape = e.ints(`${name}.shape`, [...new Array<number>((rank ?? 1) - 1).fill(0), n, run]);
    e.emit('Reshape', [x, shape], [`${name}.runs`]);
    e.emit('ReduceSum', [`${name}.runs`, e.ints(`${name}.axis`, [-1])], [name], { keepdims: 0 });
  });

/** x Mᵀ with M [N,n] in fp32, as the target likes it. */
function productOfRows(e: Emitter, m: string, x: string, y: string): Term {
  if (!e.prepacks) return { op: 'FusedMatMul', inputs: [x, m], attributes: { transB: true }, domain: 'com.microsoft' };
  e.emit('Transpose', [m], [`${y}.mT`], { perm: [1, 0] });
  return { op: 'MatMul', inputs: [x, `${y}.mT`], attributes: {}, domain: '' };
}

/** Rows `ids` of W [N,K] in fp32: only they are decoded. */
export function blockRows(e: Emitter, place: BlockPlace, w: string, ids: string, y: string, idsRank: number): void {
  const { N, K, n } = sizes(place);
  const { run, planes, floors } = place;
  const scales = e.external(`${w}.row.scales`, 'f32', [N, n], place.scales);
  const terms = planes.map(({ bits, codes, factor, zeros }, i) => {
    const attributes = { gather_axis: 0, quantize_axis: 1, block_size: run, bits };
    const matrix = e.external(`${w}.row.plane${i}`, 'u8', [N, (K * bits) / 8], codes);
    const zero = zeros ? [e.external(`${w}.row.zeros${i}`, 'u8', [N, zeroBytes(n, bits)], zeros)] : [];
    const term = `${y}.plane${i}`;
    e.emit('GatherBlockQuantized', [matrix, ids, scales, ...zero], [term], attributes, 'com.microsoft');
    if (factor === 1) return term;
    e.scale(term, factor, `${term}.scaled`);
    return `${term}.scaled`;
  });
  if (floors) {
    const table = e.external(`${w}.row.floors`, 'f32', [N, n], floors);
    e.emit('Gather', [table, ids], [`${y}.floor`], { axis: 0 });
    e.emit('Unsqueeze', [`${y}.floor`, e.ints(`${y}.last`, [-1])], [`${y}.floor1`]);
    const ones = [...new Array<number>(idsRank).fill(1), 1, run];
    e.emit('Expand', [`${y}.floor1`, e.ints(`${y}.wide`, ones)], [`${y}.floorN`]);
    e.emit('Reshape', [`${y}.floorN`, e.ints(`${y}.shape`, [...new Array<number>(idsRank).fill(0), K])], [`${y}.floors`]);
    terms.push(`${y}.floors`);
  }
  if (terms.length === 1) e.emit('Identity', terms, [y]);
  else e.emit('Sum', terms, [y]);
}
