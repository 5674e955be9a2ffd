import { LabError } from '../protocol/errors.js';
import type { Dim } from './ir.js';

type Shape = readonly Dim[];

const mismatch = (op: string, a: Shape, b: Shape) =>
  new LabError({
    code: 'GRAPH_SHAPE',
    message: `${op}: shapes [${a.join(', ')}] and [${b.join(', ')}] do not fit.`,
    hint: 'The config and the tensors of this checkpoint contradict each other; look at its config.json in Model Lab.',
  });

/** NumPy broadcasting over symbolic sizes. A name meets 1 or itself; two different names are trusted to be equal at run time. */
export function broadcast(op: string, a: Shape, b: Shape): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - (rank - a.length)] ?? 1;
    const y = b[axis - (rank - b.length)] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    if (typeof x === 'number' && typeof y === 'number') throw mismatch(op, a, b);
    return typeof y === 'number' ? y : x;
  });
}

/** [..., m, k] · [..., k, n], or [..., n, k] when transposed. */
export function matmul(a: Shape, b: Shape, transB: boolean): Dim[] {
  const [k, n] = transB ? [b.at(-1), b.at(-2)] : [b.at(-2), b.at(-1)];
  const inner = a.at(-1);
  if (typeof inner === 'number' && typeof k === 'number' && inner !== k) throw mismatch('MatMul', a, b);
  return [...broadcast('MatMul', a.slice(0, -2), b.slice(0, -2)), a.at(-2) as Dim, n as Dim];
}

/** ONNX Reshape: 0 copies the size at that axis, −1 is what is left. */
export function reshape(shape: Shape, to: readonly number[]): Dim[] {
  const out: Dim[] = to.map((size, axis) => (size === 0 ? (shape[axis] as Dim) : size));
  const open = out.indexOf(-1);
  if (open < 0) return out;
  const names = (dims: Shape) => dims.filter((d): d is string => typeof d === 'string');
  const product = (dims: Shape) => dims.reduce<number>((n, d) => (typeof d === 'number' && d > 0 ? n * d : n), 1);
  const rest = out.filter((_, axis) => axis !== open);
  const left = names(shape);
  for (const name of names(rest)) left.splice(left.indexOf(name), 1);
  const size = product(shape) / product(rest);
  if (!Number.isInteger(size)) throw mismatch('Reshape', shape, out);
  out[open] = left.length === 0 ? size : [...(size === 1 ? [] : [size]), ...left].join('·');
  return out;
}

/** Sizes added along an axis: numbers sum, names join. */
export const sum = (dims: readonly Dim[]): Dim =>
  dims.every((d) => typeof d === 'number') ? dims.reduce<number>((n, d) => n + (d as number), 0) : dims.join('+');
