import type { GraphValueAt, ValueStats } from '../protocol/graph.js';
import type { RunView, TokenRange } from '../runtime/view.js';
import { norm } from '../tensor/reduce.js';
import { sizeOf, type Tensor } from '../tensor/tensor.js';
import type { Analysis } from './analysis.js';
import { checkIndex, provenance } from './subject.js';

/** Any value of a segment, by its name as a probe, when the model reads one token: what it is, and a picture of at most `side` × `side`. */
export const value: Analysis<'graph/value'> = async (view, { probe, token, side }, { signal }) => {
  const started = performance.now();
  const tensors = await view.probes([probe], { ...at(view, token), signal });
  const tensor = tensors.get(probe) as Tensor;
  return {
    shape: tensor.shape,
    stats: statsOf(tensor.data),
    picture: picture(tensor, side),
    provenance: provenance(view, probe, started),
  };
};

/** The L2 norms of many values of one segment at one token. */
export const norms: Analysis<'graph/norms'> = async (view, { probes, token }, { signal }) => {
  const started = performance.now();
  const tensors = await view.probes(probes, { ...at(view, token), signal });
  const data = Float32Array.from(probes, (probe) => statsOf((tensors.get(probe) as Tensor).data).norm);
  return { norms: { shape: [data.length], data }, provenance: provenance(view, probes[0] ?? '', started) };
};

/** The length of the residual stream on its way through the blocks, at one token. */
export const flow: Analysis<'graph/flow'> = async (view, { token }, { signal }) => {
  const started = performance.now();
  const last = view.layers.length - 1;
  if (last < 0) return { norms: { shape: [0], data: new Float32Array() }, provenance: provenance(view, '', started) };
  const names = [...view.layers.map(({ index }) => `blocks.${index}.resid_pre`), `blocks.${last}.resid_post`];
  const norms = new Float32Array(names.length);
  for (const [i, name] of names.entries()) {
    const tensors = await view.probes([name], { ...at(view, token), signal });
    norms[i] = norm((tensors.get(name) as Tensor).data);
  }
  return { norms: { shape: [norms.length], data: norms }, provenance: provenance(view, 'blocks.i.resid_pre', started) };
};

/** One token; all there is of a run whose input are no tokens. Errors: INDEX_INVALID. */
function at({ ids }: RunView, token: number): { readonly range?: TokenRange } {
  if (ids.length === 0) return {};
  checkIndex('token', token, ids.length);
  return { range: { from: token, to: token + 1 } };
}

/** Of the finite values; a value without any has NaN. */
function statsOf(data: Float32Array): ValueStats {
  let [min, max, sum, square, count] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (const x of data) {
    if (!Number.isFinite(x)) continue;
    [min, max, sum, square, count] = [Math.min(min, x), Math.max(max, x), sum + x, square + x * x, count + 1];
  }
  const or = (x: number) => (count === 0 ? Number.NaN : x);
  return {
    min: or(min),
    max: or(max),
    mean: or(sum / count),
    norm: or(Math.sqrt(square)),
    count: data.length,
    notFinite: data.length - count,
  };
}

/** The last axis by all others, the signed value of largest magnitude in each cell. */
function picture({ shape, data }: Tensor, side: number): GraphValueAt['picture'] {
  const width = shape.at(-1) ?? 1;
  const height = sizeOf(shape.slice(0, -1));
  const [rows, cols] = [Math.min(side, height), Math.min(side, width)];
  const cells = new Float32Array(rows * cols);
  for (const [i, x] of data.entries()) {
    const cell = Math.floor((Math.floor(i / width) * rows) / height) * cols + Math.floor(((i % width) * cols) / width);
    if (!(Math.abs(x) <= Math.abs(cells[cell] as number))) cells[cell] = x;
  }
  return { shape: [rows, cols], data: cells };
}
