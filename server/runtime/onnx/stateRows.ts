import type { HostTensor } from '../elements.js';

/** The first `rows` along one axis, of any type, copied. */
export function sliceRows({ type, dims, data }: HostTensor, axis: number, rows: number): HostTensor {
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const outer = dims.slice(0, axis).reduce((n, d) => n * d, 1);
  const length = dims[axis] as number;
  if (rows === length) return { type, dims, data };
  const parts = Array.from({ length: outer }, (_, o) => data.subarray(o * length * inner, (o * length + rows) * inner));
  const out = data.slice(0, outer * rows * inner);
  for (const [o, part] of parts.entries()) (out as Float32Array).set(part as Float32Array, o * rows * inner);
  return { type, dims: dims.toSpliced(axis, 1, rows), data: out };
}
