import type { Dim, Value } from '../ir.js';
import type { SegmentBuilder } from '../segmentBuilder.js';
import { named } from './attendAll.js';

/** How an image becomes patches. Sides are [height, width]. */
export interface PatchSpec {
  readonly channels: number;
  /** Of the image the positions were learned for. */
  readonly image: readonly [number, number];
  readonly patch: readonly [number, number];
}

export const patchGrid = ({ image, patch }: PatchSpec): readonly [number, number] => [
  Math.floor(image[0] / patch[0]),
  Math.floor(image[1] / patch[1]),
];

/** The input `pixel_values` [B,C,H,W]: of one size, or of any. */
export const pixels = (g: SegmentBuilder, { channels, image, patch }: PatchSpec, anySize = false): Value =>
  g.given('pixel_values', 'f32', ['B', channels, ...(anySize ? ['height', 'width'] : image)], { least: [1, channels, ...patch] });

/**
 * The patch embedding of Dosovitskiy et al. 2020 (arXiv 2010.11929), eq. 1: a convolution whose stride is its size, that is one matrix for every
 * patch. Row by row of the image; what is left over at the right and at the bottom is not read. [B,C,H,W] → the probe `patch_embed` [B,N,D].
 */
export function embedPatches(g: SegmentBuilder, image: Value, spec: PatchSpec, name: string, D: number): Value {
  const [C, [h, w]] = [spec.channels, spec.patch];
  const counts = [2, 3].map((axis) => sidePatches(g, image, axis, spec.patch[axis - 2] as number));
  const whole = counts.reduce((x, count, i) => {
    const end = g.mul(count, spec.patch[i] as number);
    return g.op('Slice', [x, g.ints(0), end, g.ints(2 + i)], x.shape.toSpliced(2 + i, 1, `cut.${i}`));
  }, image);
  const [rows, cols] = counts as [Value, Value];
  const size = (...parts: (number | Value)[]) =>
    g.concat(
      parts.map((p) => (typeof p === 'number' ? g.ints(p) : p)),
      0,
    );
  const split = g.op('Reshape', [whole, size(0, C, rows, h, cols, w)], ['B', C, 'rows', h, 'cols', w]);
  const flat = g.op('Reshape', [g.transpose(split, 0, 2, 4, 1, 3, 5), g.ints(0, -1, C * h * w)], ['B', 'N', C * h * w]);
  const kernel = g.reshape(g.weight(`${name}.weight`, [D, C, h, w]), D, C * h * w);
  const embedded = g.matmul(flat, kernel, { transB: true }); // [B,N,D]
  return g.probe('patch_embed', g.has(`${name}.bias`) ? g.add(embedded, g.weight(`${name}.bias`, [D])) : embedded);
}

/** Patches along one side of the image, i64 [1]. */
export const sidePatches = (g: SegmentBuilder, image: Value, axis: number, patch: number): Value => {
  const length = image.shape[axis] as Dim;
  return typeof length === 'number' ? g.ints(Math.floor(length / patch)) : g.div(g.unsqueeze(g.size(image, axis), 0), patch);
};

/** Learned rows, the same for every input: [1,rows,D] or any spelling of it → [B,rows,D]. */
export function perInput(g: SegmentBuilder, name: string, D: number, like: Value, rows = 1): Value {
  const row = g.weight(name, [1, rows, D]);
  const size = g.concat([g.unsqueeze(g.size(like, 0), 0), g.ints(rows, D)], 0);
  return g.op('Expand', [row, size], ['B', rows, D]);
}

/** Tokens joined along T: [B,T,D]. */
export const tokensOf = (g: SegmentBuilder, parts: readonly Value[]): Value =>
  named(parts.length === 1 ? (parts[0] as Value) : g.concat(parts, 1), ['B', 'T', (parts[0] as Value).shape[2] as Dim]);

/** The token at a fixed place: [B,T,D] → [B,D]. Negative counts from the end. */
export const tokenAt = (g: SegmentBuilder, x: Value, index: number): Value =>
  named(g.squeeze(g.slice(x, 1, index, index === -1 ? Number.MAX_SAFE_INTEGER : index + 1, 1), 1), ['B', x.shape[2] as Dim]);
