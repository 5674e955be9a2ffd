import type { Checkpoint } from '../formats/checkpoint.js';
import type { Graph, Node, Value } from '../graph/ir.js';
import { buildSegment } from '../graph/segment.js';
import { LabError } from '../protocol/errors.js';
import type { MatrixProduct } from '../protocol/weights.js';
import type { Model } from '../runtime/model.js';
import type { RunView, Watched } from '../runtime/view.js';
import { type Svd, svd, transposed } from '../tensor/svd.js';
import type { Tensor } from '../tensor/tensor.js';
import { checkIndex, provenance } from './subject.js';
import { atEase, readMatrix } from './weightMatrix.js';
import { vocabularyOf, type Word } from './weightVocabulary.js';

/** Shorter side up to which every direction is computed, and how many of the largest beyond. */
const LIMIT = 1024;
const TOP = 128;

const noProduct = (tensor: string, why: string) =>
  new LabError({
    code: 'TENSOR_NO_PRODUCT',
    message: `${tensor} ${why}.`,
    hint: 'y = A x is shown for matrices that every token is multiplied by.',
  });

/** Where a run multiplies by a stored matrix. */
export interface Use {
  /** Names of the values as probes. */
  readonly input: string;
  readonly output: string;
  /** The file holds Aᵀ: y = x W. */
  readonly turned: boolean;
}

/** The first product with this tensor in the graph of the model. Errors: TENSOR_NO_PRODUCT. */
export function findUse({ bound }: Model, tensor: string): Use {
  const L = bound.config.layers;
  const parts = [
    ...Array.from({ length: L }, (_, i) => ({ scope: `blocks.${i}`, from: i, to: i + 1, embed: false, head: false })),
    { scope: 'head', from: L, to: L, embed: false, head: true },
    { scope: 'embed', from: 0, to: 0, embed: true, head: false },
  ];
  let why = 'is not read by this model';
  for (const { scope, ...spec } of parts) {
    const { graph } = buildSegment(bound, spec);
    const weights = [...graph.weights.values()].filter((weight) => weight.tensor === tensor);
    if (weights.length === 0) continue;
    if (weights.some(({ part }) => part !== undefined))
      throw noProduct(tensor, 'holds experts, each of which sees tokens of its own');
    const node = graph.nodes.find(({ op, inputs }) => op === 'MatMul' && inputs[1]?.name === weights[0]?.value.name);
    if (node) return useOf(graph, node, scope, tensor);
    why = 'is used in another way than as a matrix that tokens are multiplied by';
  }
  throw noProduct(tensor, why);
}

function useOf(graph: Graph, node: Node, scope: string, tensor: string): Use {
  const [x, y] = [node.inputs[0] as Value, node.outputs[0] as Value];
  if (x.shape.length !== 3 || x.shape[1] !== 'T' || (node.inputs[1] as Value).shape.length !== 2)
    throw noProduct(tensor, `multiplies [${x.shape.join(', ')}], not one vector a token`);
  const named = ({ name }: Value) =>
    graph.inputs.some((input) => input.name === name) ? inputName(name, scope) : `${scope}.#${name}`;
  return { input: named(x), output: named(y), turned: node.attributes.transB !== true };
}

/** What enters a segment has a name of its own. */
const inputName = (name: string, scope: string): string =>
  name === 'resid' && scope !== 'head' ? `${scope}.resid_pre` : `${scope}.#${name}`;

export interface ProductRequest {
  readonly tensor: string;
  readonly token: number;
  /** How many directions are told. */
  readonly directions: number;
}

/** Which singular directions of a matrix carry its output at one token, and which vocabulary they read and write. Errors: those of findUse, readMatrix, checkIndex. */
export async function matrixProduct(
  model: Model,
  view: RunView,
  { tensor, token, directions }: ProductRequest,
  word: Word,
  { signal, progress }: Watched,
): Promise<MatrixProduct> {
  const started = performance.now();
  checkIndex('token', token, view.ids.length);
  const use = findUse(model, tensor);
  const read = async (name: string) =>
    ((await view.probes([name], { range: { from: token, to: token + 1 }, signal })).get(name) as Tensor).data;
  const [x, y] = [await read(use.input), await read(use.output)];
  const { matrix, rows, cols } = await asMultiplied(model.checkpoint, tensor, use, signal);
  const report = (share: number) => progress(Math.round(100 * share), 100, 'Decomposing the matrix');
  const found = await atEase(svd(matrix, rows, cols, { directions: true, limit: LIMIT, top: TOP }), signal, report);
  const acting = act(found, rows, cols, x, y);
  const told = acting.order.slice(0, directions);
  const words = await vocabularyOf(model, { rows, cols, u: told.map(acting.u), v: told.map(acting.v) }, word, signal);
  const again = found.complete ? acting.sum() : product(matrix, rows, cols, x);
  return {
    rows,
    cols,
    input: use.input,
    output: use.output,
    x: { shape: [x.length], data: x },
    y: { shape: [y.length], data: y },
    shares: { shape: [acting.shares.length], data: Float32Array.from(acting.shares) },
    sigma: { shape: [found.sigma.length], data: Float32Array.from(found.sigma) },
    complete: found.complete,
    directions: told.map((index, n) => ({
      index,
      sigma: found.sigma[index] as number,
      projection: Math.abs(acting.along[index] as number),
      share: acting.shares[index] as number,
      reads: words.reads?.[n] ?? null,
      writes: words.writes?.[n] ?? null,
    })),
    readsNote: words.readsNote,
    writesNote: words.writesNote,
    identity: {
      formula: found.complete ? 'y = Σ σ u (vᵀ x)' : 'y = A x',
      error: worst(again, y),
      magnitude: y.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    },
    provenance: provenance(view, use.output, started),
  };
}

/** The matrix [out, in], whichever way the file holds it. */
async function asMultiplied(checkpoint: Checkpoint, tensor: string, { turned }: Use, signal: AbortSignal) {
  const { values, rows, cols } = await readMatrix(checkpoint, tensor, signal);
  return turned ? { matrix: transposed(values, rows, cols), rows: cols, cols: rows } : { matrix: values, rows, cols };
}

/** What each direction does to x. */
function act({ u, v, sigma }: Svd, rows: number, cols: number, x: Float32Array, y: Float32Array) {
  const [left, right] = [u as Float64Array, v as Float64Array];
  const along = Float64Array.from(sigma, (_, i) => dotAt(right, i * cols, x));
  const carried = along.map((projection, i) => projection * (sigma[i] as number));
  const total = y.reduce((sum, value) => sum + value * value, 0);
  const shares = carried.map((c) => (total === 0 ? 0 : (c * c) / total));
  /** Turned so that x lies along v. */
  const facing = (basis: Float64Array, i: number, size: number) =>
    basis.subarray(i * size, (i + 1) * size).map((value) => ((along[i] as number) < 0 ? -value : value));
  return {
    along,
    shares,
    /** The strongest first. */
    order: [...shares.keys()].sort((i, j) => (shares[j] as number) - (shares[i] as number)),
    u: (i: number) => facing(left, i, rows),
    v: (i: number) => facing(right, i, cols),
    sum: () => weighted(left, carried, rows),
  };
}

const dotAt = (rows: Float64Array, at: number, x: Float32Array): number =>
  x.reduce((total, value, i) => total + value * (rows[at + i] as number), 0);

/** Σ factorᵢ uᵢ. */
function weighted(u: Float64Array, factors: Float64Array, size: number): Float64Array {
  const out = new Float64Array(size);
  for (const [i, factor] of factors.entries())
    for (let j = 0; j < size; j++) out[j] = (out[j] as number) + factor * (u[i * size + j] as number);
  return out;
}

function product(a: Float32Array, rows: number, cols: number, x: Float32Array): Float64Array {
  const out = new Float64Array(rows);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < cols; c++) out[r] = (out[r] as number) + (a[r * cols + c] as number) * (x[c] as number);
  return out;
}

const worst = (a: Float64Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
