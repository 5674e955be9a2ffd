import type { Emitter } from './emit.js';
import type { BlockPlace } from './weightPlace.js';

/** Products with, and rows of, a matrix stored as whole numbers with scales. Letters: N outputs, K inputs, n runs of a row. */

interface Matrix {
  readonly N: number;
  readonly K: number;
  readonly n: number;
}

function sizes({ shape, turned, run }: BlockPlace): Matrix {
  const [N, K] = (turned ? [shape[1], shape[0]] : shape) as [number, number];
  return { N, K, n: K / run };
}

/** x Wᵀ with W [N,K]: one MatMulNBits a plane; floors f meet the sums of x over each run, s: y = Σ planes + s fᵀ. `rank` is that of x. */
export function blockProduct(e: Emitter, place: BlockPlace, w: string, x: string, y: string, rank: number): void {
  const { N, K, n } = sizes(place);
  const { run, planes, floors, accuracy } = place;
  const scales = e.external(`${w}.scales`, 'f32', [N * n], place.scales);
  const terms = planes.map(({ bits, codes, factor, zeros }, i) => {
    const matrix = e.external(`${w}.plane${i}`, 'u8', [N, n, (run * bits) / 8], codes);
    const zero = zeros ? [e.external(`${w}.zeros${i}`, 'u8', [N * Math.ceil(n / 2)], zeros)] : [];
    const given = factor === 1 ? x : e.once(`${x}.x${factor}`, (name) => e.scale(x, factor, name));
    const term = `${y}.plane${i}`;
    const attributes = { K, N, bits, block_size: run, accuracy_level: accuracy };
    return { term, op: 'MatMulNBits', inputs: [given, matrix, scales, ...zero], attributes, domain: 'com.microsoft' };
  });
  const floorTerms = floors
    ? [
        {
          term: `${y}.floor`,
          ...productOfRows(e, e.external(`${w}.floors`, 'f32', [N, n], floors), runSums(e, x, run, n, rank), `${y}.floor`),
        },
      ]
    : [];
  const all = [...terms, ...floorTerms];
  const last = all.length === 1;
  for (const { term, op, inputs, attributes, domain } of all) e.emit(op, inputs, [last ? y : term], attributes, domain);
  for (let i = 1; i < all.length; i++) {
    const sum = i === 1 ? (all[0]?.term as string) : `${y}.sum${i - 1}`;
    e.emit('Add', [sum, all[i]?.term as string], [i === all.length - 1 ? y : `${y}.sum${i}`]);
  }
}

/** Sums of x [..., K] over each run: [..., n]. */
const runSums = (e: Emitter, x: string, run: number, n: number, rank: number): string =>
  e.once(`${x}.sums${run}`, (name) => {
    const shape = e.ints(`${name}.shape`, [...new Array<number>(rank - 1).fill(0), n, run]);
    e.emit('Reshape', [x, shape], [`${name}.runs`]);
    e.emit('ReduceSum', [`${name}.runs`, e.ints(`${name}.axis`, [-1])], [name], { keepdims: 0 });
  });

/** x Mᵀ with M [N,n] in fp32, as the target likes it. */
function productOfRows(e: Emitter, m: string, x: string, y: string) {
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
    const zero = zeros ? [e.external(`${w}.row.zeros${i}`, 'u8', [N, Math.ceil(n / 2)], zeros)] : [];
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
