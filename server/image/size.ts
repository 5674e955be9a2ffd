import { imageError } from './errors.js';

const MOST_PIXELS = 64 << 20;

/** Refuses what no image of this program's use has, before anything is allocated for it. Errors: IMAGE_INVALID, IMAGE_TOO_BIG. */
export function checkSize(width: number, height: number, file: string): void {
  if (width === 0 || height === 0) throw imageError('IMAGE_INVALID', file, `The image is ${width}×${height} pixels.`);
  if (width * height > MOST_PIXELS)
    throw imageError('IMAGE_TOO_BIG', file, `The image is ${width}×${height} pixels; at most ${MOST_PIXELS} are decoded.`);
}
