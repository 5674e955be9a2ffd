import type { TokenInfo } from '../../server/protocol/runs.js';
import { ink } from '../charts/theme.js';
import { axis } from '../frame/axis.js';
import { shortened, tickStep } from '../frame/stripDrawing.js';
import { visibleText } from '../frame/tokenText.js';
import { useCanvas } from '../frame/useCanvas.js';
import { rowFirst } from './axes.js';

/** CSS pixels left of the map, and of the strip above it. */
const LABEL_WIDTH = 72;
/** Queries this high have room for their text; below, only for numbers now and then. */
const TEXT_FROM = 11;

interface Props {
  readonly tokens: readonly TokenInfo[];
  readonly height: number;
  readonly selected: number | null;
  readonly hovered: number | null;
}

/** The queries beside the map: the vertical twin of the token strip. */
export function QueryLabels({ tokens, height, selected, hovered }: Props) {
  const { width: size } = axis.value;
  const first = rowFirst.value;
  const canvas = useCanvas((context, width) => {
    context.font = ink.value.small;
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    const last = Math.min(tokens.length, Math.ceil(first + height / size));
    const every = size >= TEXT_FROM ? 1 : tickStep(24 / size);
    const draw = (row: number, marked: boolean) => {
      const token = tokens[row];
      if (!token) return;
      const y = Math.max(6, (row - first + 0.5) * size);
      const text = size >= TEXT_FROM ? visibleText(token) : marked ? `${row} ${visibleText(token)}` : String(row);
      if (marked) {
        const tall = size >= TEXT_FROM ? size : 18;
        context.clearRect(0, y - tall / 2, width, tall);
        context.fillStyle = row === selected ? ink.value.focus : ink.value.quiet;
        context.fillRect(width - 3, y - Math.max(size, 3) / 2, 3, Math.max(size, 3));
      }
      context.fillStyle = marked ? ink.value.text : ink.value.quiet;
      context.fillText(shortened(context, text, width - 8), width - 6, y);
    };
    const near = (row: number) =>
      size < TEXT_FROM && [selected, hovered].some((marked) => marked !== null && Math.abs(marked - row) * size < 13);
    for (let row = Math.ceil(Math.floor(first) / every) * every; row < last; row += every) {
      if (!near(row)) draw(row, false);
    }
    for (const row of [selected, hovered]) if (row !== null && row >= first && row < last) draw(row, true);
  });
  return (
    <div aria-hidden="true">
      <canvas ref={canvas} class="query-labels" style={{ width: `${LABEL_WIDTH}px`, height: `${height}px` }} />
    </div>
  );
}
