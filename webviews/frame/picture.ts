import { effect, type ReadonlySignal, signal } from '@preact/signals';
import type { RunPicture } from '../../server/protocol/passes.js';
import type { RunId } from '../../server/protocol/runs.js';
import { request } from '../host.js';
import { activeRun } from './selection.js';

/** The image of a run, ready to be drawn. */
export interface Picture extends RunPicture {
  readonly canvas: HTMLCanvasElement;
  readonly url: string;
}

/** Where a patch lies in the image: pixels from its corner. */
export interface PatchPlace {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const shown = signal<Picture | null>(null);
/** That of the selected run; null while it is not here, and for a run without an image. */
export const activePicture: ReadonlySignal<Picture | null> = shown;

/** Null for a token that is no patch. */
export function patchPlace({ cells, cols, patch }: RunPicture, token: number): PatchPlace | null {
  const cell = cells[token] ?? null;
  if (cell === null) return null;
  const [height, width] = patch;
  return { x: (cell % cols) * width, y: Math.floor(cell / cols) * height, width, height };
}

function drawn(picture: RunPicture): Picture {
  const [height = 0, width = 0] = picture.pixels.shape;
  const canvas = document.createElement('canvas');
  // what is left over at the edges is in no patch
  canvas.width = picture.cols * picture.patch[1];
  canvas.height = picture.rows * picture.patch[0];
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    image.data.set(picture.pixels.data.subarray(3 * i, 3 * i + 3), 4 * i);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext('2d')?.putImageData(image, 0, 0);
  return { ...picture, canvas, url: canvas.toDataURL() };
}

let wanted: RunId | null = null;
effect(() => {
  const loaded = activeRun.value;
  const run =
    loaded.state === 'ready' && loaded.value.recipe.image !== undefined && loaded.value.tokens > 0 ? loaded.value.id : null;
  if (run === wanted) return;
  wanted = run;
  shown.value = null;
  if (run === null) return;
  request('runs/picture', { run }).then(
    (picture) => {
      if (wanted === run) shown.value = drawn(picture);
    },
    () => undefined, // the run itself says what is wrong with it
  );
});
