import type { Rgb } from '../image/rgb.js';
import type { RunPicture } from '../protocol/passes.js';
import type { TokenInfo } from '../protocol/runs.js';
import { floatsOf } from '../runtime/elements.js';
import type { Inside, Tensors } from '../runtime/forward.js';
import type { Piece } from '../tokenizer/tokenizer.js';
import { distribution, rankOf } from './distribution.js';
import type { LabForward } from './models.js';
import { labelsOf } from './passOutputs.js';
import { idSpeller } from './tokens.js';

/** How an image is cut: what each token is. Null for a model that reads no patches. */
export function cellsOf(picture: Rgb, inside: Inside): RunPicture | null {
  const { patchSides } = inside;
  if (!patchSides) return null;
  const [rows, cols] = [Math.floor(picture.height / patchSides[0]), Math.floor(picture.width / patchSides[1])];
  let next = 0;
  const cells = (inside.labels(rows * cols) ?? []).map((label) => (label === null ? next++ : null));
  const pixels = { shape: [picture.height, picture.width, 3], data: picture.data };
  return { pixels, patch: patchSides, rows, cols, cells };
}

const plain = { bytes: [], start: null, end: null, role: 'prompt' } as const;
const unread = { probability: null, surprisal: null, entropy: null, rank: null, alternatives: [] } as const;

/** The patches of an image, by row and column, and the tokens that are none, by name. */
export function patchTokens({ rows, cols, cells }: RunPicture, inside: Inside): TokenInfo[] {
  const names = inside.labels(rows * cols) ?? [];
  return cells.map((cell, index) => {
    const text = cell === null ? `[${names[index]}]` : `${Math.floor(cell / cols)},${cell % cols}`;
    return { ...plain, ...unread, index, id: index, text };
  });
}

/** The words of a text; where the model says something of each of them, its distribution at that place. */
export function textTokens(model: LabForward, inputs: Tensors, pieces: readonly Piece[] | null, outputs: Tensors): TokenInfo[] {
  const speller = model.tokenizer ?? idSpeller;
  const ids = Array.from((inputs.get('input_ids')?.data ?? []) as BigInt64Array, Number);
  const logits = outputs.get('logits');
  const each = logits?.dims.length === 2 && logits.dims[0] === ids.length ? floatsOf(logits) : null;
  const width = logits?.dims.at(-1) ?? 0;
  const words = width === model.info.vocabSize;
  const labels = labelsOf(model);
  return ids.map((id, index) => {
    const piece = pieces?.[index] ?? null;
    const token = {
      ...plain,
      index,
      id,
      text: speller.text(id),
      bytes: [...speller.bytes(id)],
      start: piece?.start ?? null,
      end: piece?.end ?? null,
    };
    if (!each) return { ...token, ...unread };
    const row = each.subarray(index * width, (index + 1) * width);
    const { logSumExp, entropy, alternatives } = distribution(row, (i) => (words ? speller.text(i) : labels(i)));
    if (!words) return { ...token, ...unread, entropy, alternatives };
    const log = (row[id] as number) - logSumExp;
    return { ...token, probability: Math.exp(log), surprisal: -log / Math.LN2, entropy, rank: rankOf(row, id), alternatives };
  });
}
