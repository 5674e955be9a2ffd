import { sizeOf, type Tensor } from '../../tensor/tensor.js';
import { floatsOf, type HostTensor } from '../elements.js';
import { sliceAxis } from '../slices.js';
import type { NamedValue } from './names.js';

/** A value of a graph as analyses know it: fp32, without batch, heads first where it has any (`attn.z` by token). */
export function layOut(name: string, { layout, heads }: Pick<NamedValue, 'layout' | 'heads'>, tensor: HostTensor): Tensor {
  const whole = { shape: tensor.dims, data: floatsOf(tensor) };
  if (layout === 'steps') return withoutAxis(whole, 1);
  const plain = withoutBatch(whole, layout === 'heads' || layout === 'turned' || layout === 'pattern' ? 3 : 2);
  if (layout === 'tokens') return plain;
  if (layout === 'byToken') return { shape: byToken(plain.shape, heads ?? 1), data: plain.data };
  const byHead =
    layout === 'flat' ? splitHeads(plain, heads ?? 1) : layout === 'turned' ? swapped(merged(plain), 1, 2) : merged(plain);
  return /\.z$/.test(name) ? swapped(byHead, 0, 1) : byHead;
}

/** [T,H·E] as [T,H,E]; [T,H] stays. */
const byToken = ([T = 1, width = 1]: readonly number[], heads: number): number[] =>
  width === heads ? [T, heads] : [T, heads, width / heads];

const withoutAxis = ({ shape, data }: Tensor, axis: number): Tensor => ({
  shape: shape[axis] === 1 && shape.length > 2 ? shape.toSpliced(axis, 1) : shape,
  data,
});

/** Drops leading axes of 1 while more than `least` are left. */
function withoutBatch({ shape, data }: Tensor, least: number): Tensor {
  const drop = shape.length > least && shape[0] === 1 ? 1 : 0;
  return { shape: shape.slice(drop), data };
}

/** Groups of heads as heads: [K,G,T,E] → [K·G,T,E]. */
const merged = ({ shape, data }: Tensor): Tensor => ({ shape: [sizeOf(shape.slice(0, -2)), ...shape.slice(-2)], data });

/** [T,H·E] → [H,T,E]. */
function splitHeads({ shape, data }: Tensor, heads: number): Tensor {
  const [T, width] = [sizeOf(shape.slice(0, -1)), shape.at(-1) as number];
  return swapped({ shape: [T, heads, width / heads], data }, 0, 1);
}

/** A copy with two axes swapped; `b` = `a` + 1. */
export function swapped({ shape, data }: Tensor, a: number, b: number): Tensor {
  const [outer, m, n, inner] = [sizeOf(shape.slice(0, a)), shape[a] as number, shape[b] as number, sizeOf(shape.slice(b + 1))];
  const out = new Float32Array(data.length);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        const from = ((o * m + i) * n + j) * inner;
        out.set(data.subarray(from, from + inner), ((o * n + j) * m + i) * inner);
      }
  return { shape: [...shape.slice(0, a), n, m, ...shape.slice(b + 1)], data: out };
}

/** Keys or values of fewer heads, each read by several: of repeated ones the first of every group. [H,S,E] → [K,S,E]. */
export function grouped({ shape, data }: Tensor, kvHeads: number): Tensor {
  const [H, ...rest] = shape as readonly [number, ...number[]];
  if (H === kvHeads || H % kvHeads !== 0) return { shape, data };
  const size = sizeOf(rest);
  const out = new Float32Array(kvHeads * size);
  for (let k = 0; k < kvHeads; k++) {
    const from = ((k * H) / kvHeads) * size;
    out.set(data.subarray(from, from + size), k * size);
  }
  return { shape: [kvHeads, ...rest], data: out };
}

/** The last `rows` of an axis. */
export const lastRows = (tensor: Tensor, axis: number, rows: number): Tensor => {
  const length = tensor.shape[axis] as number;
  return length === rows ? tensor : sliceAxis(tensor, axis, length - rows, length);
};

/** Scores of keys that a query may not see, as −∞: its own operator leaves zeros there. `first` is the token of the first row. */
export function hideScores({ shape, data }: Tensor, first: number, window: number | null): Tensor {
  const [, rows, keys] = shape as [number, number, number];
  const out = data.slice();
  for (let at = 0; at < out.length; at++) {
    const query = first + (Math.floor(at / keys) % rows);
    const key = at % keys;
    if (key > query || (window !== null && query - key >= window)) out[at] = Number.NEGATIVE_INFINITY;
  }
  return { shape, data: out };
}
