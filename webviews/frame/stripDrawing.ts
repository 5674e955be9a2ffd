import type { TokenInfo } from '../../server/protocol/runs.js';
import { ink } from '../charts/theme.js';
import { type Axis, xOf } from './axis.js';
import { type Picture, patchPlace } from './picture.js';
import { fill, isStrong, strength, type TokenColour, tokenFill, visibleText } from './tokenText.js';

/** Below this width a cell has no room for a label; from the other on, labels lie flat. */
const LABELS_FROM = 11;
const FLAT_FROM = 44;
const RULER = 14;

/** CSS height of a strip at this many pixels a token. */
export const stripHeight = (width: number): number => RULER + (width >= FLAT_FROM ? 22 : width >= LABELS_FROM ? 66 : 14);

export interface StripPicture {
  readonly tokens: readonly TokenInfo[];
  readonly axis: Axis;
  readonly range: readonly [from: number, to: number];
  readonly colour: TokenColour;
  readonly selected: number | null;
  readonly hovered: number | null;
  /** Other tokens to mark, e.g. search results. */
  readonly marked: ReadonlySet<number>;
  /** The first token that the model wrote; below 1 where the prompt does not end on the strip. */
  readonly boundary: number;
  /** Whose patches the tokens are; null for those of a text. */
  readonly picture: Picture | null;
}

export function drawStrip(context: CanvasRenderingContext2D, width: number, height: number, picture: StripPicture): void {
  const cells = height - RULER;
  if (picture.axis.width < 1) drawDense(context, width, cells, picture);
  else drawCells(context, cells, picture);
  drawRuler(context, width, cells, picture);
  drawBoundary(context, cells, picture);
  if (picture.hovered !== null) outline(context, picture, picture.hovered, cells, ink.value.text, 1);
  if (picture.selected !== null) outline(context, picture, picture.selected, cells, ink.value.focus, 2);
}

function drawCells(context: CanvasRenderingContext2D, height: number, picture: StripPicture): void {
  const { tokens, axis, range, colour, marked } = picture;
  const gap = axis.width > 4 ? 1 : 0;
  for (let index = range[0]; index < range[1]; index++) {
    const token = tokens[index];
    if (!token) continue;
    context.fillStyle = tokenFill(token, colour);
    context.fillRect(xOf(index, axis), 0, axis.width - gap, height);
    if (!marked.has(index)) continue;
    context.fillStyle = ink.value.series[5] ?? ink.value.focus;
    context.fillRect(xOf(index, axis), height - 3, axis.width - gap, 3);
  }
  const patches = drawPatches(context, height, picture);
  if (axis.width >= LABELS_FROM) drawLabels(context, height, picture, patches);
}

/** Each patch on top of its cell; returns the height it takes. */
function drawPatches(context: CanvasRenderingContext2D, height: number, { tokens, axis, range, picture }: StripPicture): number {
  if (!picture) return 0;
  const width = axis.width - (axis.width > 4 ? 1 : 0);
  const tall = Math.min(height, (width * picture.patch[0]) / picture.patch[1]);
  context.imageSmoothingEnabled = false;
  for (let index = range[0]; index < Math.min(range[1], tokens.length); index++) {
    const place = patchPlace(picture, index);
    if (place) context.drawImage(picture.canvas, place.x, place.y, place.width, place.height, xOf(index, axis), 0, width, tall);
  }
  return tall;
}

function drawLabels(context: CanvasRenderingContext2D, height: number, picture: StripPicture, patches: number): void {
  const { tokens, axis, range, colour } = picture;
  context.font = ink.value.small;
  context.textBaseline = 'middle';
  const flat = axis.width >= FLAT_FROM;
  const under = (index: number) => ((picture.picture?.cells[index] ?? null) === null ? 0 : patches);
  for (let index = range[0]; index < range[1]; index++) {
    const token = tokens[index];
    if (!token) continue;
    const room = flat ? axis.width - 6 : height - under(index) - 6;
    if (room < LABELS_FROM || (flat && under(index) > 0)) continue;
    const label = shortened(context, visibleText(token), room);
    context.fillStyle = isStrong(token, colour) ? ink.value.onFill : ink.value.text;
    if (flat) {
      context.fillText(label, xOf(index, axis) + 3, height / 2);
      continue;
    }
    context.save();
    context.translate(xOf(index, axis) + axis.width / 2, height - 3);
    context.rotate(-Math.PI / 2);
    context.fillText(label, 0, 0);
    context.restore();
  }
}

/** The text, or its beginning and … where it does not fit into `room` CSS pixels. */
export function shortened(context: CanvasRenderingContext2D, text: string, room: number): string {
  if (context.measureText(text).width <= room) return text;
  const characters = Array.from(text);
  while (characters.length > 1 && context.measureText(`${characters.join('')}…`).width > room) characters.pop();
  return `${characters.join('')}…`;
}

/** Several tokens share a pixel: the strongest one is seen, so that no surprise hides. */
function drawDense(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  { tokens, axis, colour, marked }: StripPicture,
): void {
  for (let x = 0; x < width; x++) {
    const from = Math.floor(axis.first + x / axis.width);
    const to = Math.min(tokens.length, Math.ceil(axis.first + (x + 1) / axis.width));
    let strongest = 0;
    let found = false;
    for (let index = from; index < to; index++) {
      const token = tokens[index];
      if (token) strongest = Math.max(strongest, strength(token, colour) ?? 0);
      found ||= marked.has(index);
    }
    context.fillStyle = fill(strongest, colour);
    context.fillRect(x, 0, 1, height);
    if (!found) continue;
    context.fillStyle = ink.value.series[5] ?? ink.value.focus;
    context.fillRect(x, height - 3, 1, 3);
  }
}

/** Token numbers, at steps of 1, 2 or 5 times a power of ten that leave room for the digits. */
function drawRuler(context: CanvasRenderingContext2D, width: number, top: number, { tokens, axis, range }: StripPicture): void {
  const step = tickStep(40 / axis.width);
  context.font = ink.value.small;
  context.textBaseline = 'top';
  context.fillStyle = ink.value.quiet;
  for (let index = Math.ceil(range[0] / step) * step; index < Math.min(range[1] + 1, tokens.length); index += step) {
    const x = xOf(index, axis);
    context.fillRect(x, top, 1, 4);
    const label = String(index);
    if (x + 3 + context.measureText(label).width < width) context.fillText(label, x + 3, top + 3);
  }
}

export function tickStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10;
  return Math.max(1, step * power);
}

/** Where the prompt ends and the model goes on. */
function drawBoundary(context: CanvasRenderingContext2D, height: number, { boundary, axis }: StripPicture): void {
  if (boundary <= 0) return;
  context.fillStyle = ink.value.text;
  context.fillRect(Math.round(xOf(boundary, axis)) - 1, 0, 1, height + RULER);
}

function outline(
  context: CanvasRenderingContext2D,
  { axis }: StripPicture,
  token: number,
  height: number,
  colour: string,
  line: number,
): void {
  const width = Math.max(3, axis.width);
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.strokeRect(xOf(token, axis) + line / 2 - 0.5, line / 2, width - line, height - line);
}
