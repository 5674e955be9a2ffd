import type { Checkpoint, TensorEntry } from './checkpoint.js';
import { dtypes } from './dtypes.js';
import { formatError } from './errors.js';
import { inOrder, quoted } from './tensorTable.js';

/**
 * What is stored as codes with their scales in a tensor of its own, as the numbers that both mean: fp8 and int8 as transformers, vLLM and
 * bitsandbytes save them, gpt-oss's MXFP4. Codes with scales of another form, or with zero points, are listed and cannot be read: DTYPE_UNDECODABLE.
 */
export function scaled(checkpoint: Checkpoint): Checkpoint {
  if (!['safetensors', 'pth'].includes(checkpoint.format)) return checkpoint; // elsewhere a scale is a tensor of a graph
  const tensors = new Map(checkpoint.tensors);
  const block = blockOf(checkpoint.config);
  for (const [name, entry] of checkpoint.tensors) {
    const made = ['F8_E4M3', 'F8_E5M2', 'I8'].includes(entry.dtype)
      ? multiplied(checkpoint, entry, block)
      : microscaled(checkpoint, entry);
    if (made === null) continue;
    tensors.delete(name);
    if (made.scales) tensors.delete(made.scales.name);
    tensors.set(made.entry.name, made.entry);
  }
  return { ...checkpoint, tensors };
}

interface Made {
  readonly entry: TensorEntry;
  /** Those that went into it. */
  readonly scales: TensorEntry | null;
}

/** Names of the scales of a weight, and what they are a multiple of: bitsandbytes keeps the largest magnitude of a row. */
const SCALES: readonly (readonly [of: (name: string) => string, factor: number])[] = [
  [(name) => `${name}_scale_inv`, 1],
  [(name) => `${name}_scale`, 1],
  [(name) => name.replace(/weight$/, 'SCB'), 1 / 127],
];

/** Rows and columns that share a scale, where the config says so. */
function blockOf(config: Checkpoint['config']): readonly number[] | null {
  const size = (config?.quantization_config as { readonly weight_block_size?: unknown } | undefined)?.weight_block_size;
  return Array.isArray(size) && size.length === 2 && size.every((n) => Number.isInteger(n) && n > 0) ? size : null;
}

const decoded = (dtype: string, bytes: Uint8Array): Float32Array => {
  const { bytes: size, elements, decode } = dtypes.get(dtype) as NonNullable<ReturnType<typeof dtypes.get>>;
  const values = new Float32Array((bytes.length / size) * elements);
  decode?.(bytes, values);
  return values;
};

const bytesOf = ({ buffer }: Float32Array): Uint8Array<ArrayBuffer> => new Uint8Array(buffer as ArrayBuffer);
const place = ({ file, offset, bytes }: TensorEntry) => ({ file, offset, bytes });

/** Codes that are not the numbers of the model, and who knows how they would become them. */
const undecodable = ({ files }: Checkpoint, entry: TensorEntry, beside: TensorEntry): Made => {
  const unpack = () => {
    const what = `${quoted(entry.sourceName)} holds codes that ${quoted(beside.sourceName)} [${beside.shape.join(', ')}] makes numbers of, in a way that is not known here.`;
    throw formatError('DTYPE_UNDECODABLE', files[entry.file]?.path ?? '', entry.offset, what);
  };
  return { entry: { ...entry, unpack }, scales: null };
};

/** w · scale: one scale for all, for a row, or for a block of the last two axes. */
function multiplied(checkpoint: Checkpoint, entry: TensorEntry, block: readonly number[] | null): Made | null {
  const { tensors } = checkpoint;
  const zeros = tensors.get(`${entry.name}_zero_point`);
  if (zeros) return undecodable(checkpoint, entry, zeros);
  for (const [of, factor] of SCALES) {
    const scales = tensors.get(of(entry.name));
    if (!scales || scales === entry) continue;
    const grid = gridOf(entry.shape, scales.shape, block);
    if (grid === null) return undecodable(checkpoint, entry, scales);
    const unpack = (stored: Uint8Array, beside: Uint8Array) => {
      const [values, by] = [decoded(entry.dtype, stored), decoded(scales.dtype, beside)];
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * (by[grid(i)] as number) * factor;
      return bytesOf(values);
    };
    return { entry: { ...entry, ...inOrder, dtype: 'F32', unpack, beside: place(scales) }, scales };
  }
  return null;
}

/** From the place of a value to that of its scale; null when the shapes do not say it. */
function gridOf(
  shape: readonly number[],
  scales: readonly number[],
  block: readonly number[] | null,
): ((i: number) => number) | null {
  if (scales.every((size) => size === 1)) return () => 0;
  const [rows = 1, columns = 1] = shape.slice(-2);
  const [down = 1, across = 1] = scales.length === 1 ? scales : scales.slice(-2);
  const shared = (whole: number, parts: number, told: number | undefined) =>
    parts === 1 ? whole : parts === whole ? 1 : (told ?? 2 ** Math.ceil(Math.log2(whole / parts)));
  const [high, wide] = [shared(rows, down, block?.[0]), shared(columns, across, block?.[1])];
  const outer = (dims: readonly number[]) => dims.slice(0, -2).reduce((n, d) => n * d, 1);
  if (Math.ceil(rows / high) !== down || Math.ceil(columns / wide) !== across || outer(shape) !== outer(scales)) return null;
  return (i) => {
    const [row, column] = [Math.floor(i / columns), i % columns];
    return (Math.floor(row / rows) * down + Math.floor((row % rows) / high)) * across + Math.floor(column / wide);
  };
}

/** OCP Microscaling Formats 1.0: two codes a byte, the first in the low bits, a power of two for 32 of them. */
function microscaled({ tensors }: Checkpoint, entry: TensorEntry): Made | null {
  const name = entry.name.endsWith('_blocks') ? entry.name.slice(0, -'_blocks'.length) : null;
  const scales = name === null ? undefined : tensors.get(`${name}_scales`);
  const [rows, groups, half] = entry.shape.slice(-3);
  if (
    name === null ||
    !scales ||
    entry.dtype !== 'U8' ||
    scales.dtype !== 'U8' ||
    rows === undefined ||
    groups === undefined ||
    half !== 16
  )
    return null;
  if (scales.shape.join() !== entry.shape.slice(0, -1).join()) return null;
  const [lead, columns] = [entry.shape.slice(0, -3), groups * 2 * half];
  // stored [..., out, in]; the experts of transformers are [..., in, out]
  const unpack = (stored: Uint8Array, beside: Uint8Array) => {
    const [codes, by] = [decoded('F4', stored), decoded('F8_E8M0', beside)];
    const values = new Float32Array(codes.length);
    for (let i = 0; i < codes.length; i++) {
      const [row, column] = [Math.floor(i / columns), i % columns];
      const [matrix, inside] = [Math.floor(row / rows), row % rows];
      values[(matrix * columns + column) * rows + inside] = (codes[i] as number) * (by[Math.floor(i / 32)] as number);
    }
    return bytesOf(values);
  };
  return {
    entry: { ...entry, ...inOrder, name, dtype: 'F32', shape: [...lead, columns, rows], unpack, beside: place(scales) },
    scales,
  };
}
