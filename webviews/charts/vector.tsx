import { type Signal, useSignal } from '@preact/signals';
import { tickStep } from '../frame/stripDrawing.js';
import { ColumnChart } from './columnChart.js';
import { movedCell } from './moves.js';
import { compact, exact } from './numbers.js';
import { ink } from './theme.js';

export interface VectorProps {
  readonly values: ArrayLike<number>;
  /** What it is: "k of token 17", and what one of its numbers is: "dimension". */
  readonly label: string;
  readonly itemName: string;
  readonly height?: number;
  /** Heights are logarithms; for positive quantities over orders of magnitude. */
  readonly log?: boolean;
  /** What has no sign (norms, shares, wavelengths): one colour instead of those of signed values. */
  readonly magnitudes?: boolean;
  /** Largest magnitude, for vectors drawn side by side. */
  readonly full?: number;
  /** Infinity is a meaningful value (never decays), not a fault. */
  readonly endless?: boolean;
  /** Cursor shared with other vectors of the same length. */
  readonly cursor?: Signal<number | null>;
  /** Further items to mark with the cursor's: the other half of a pair. */
  marked?(cursor: number): readonly number[];
  describe?(index: number, value: number): string;
}

/** A vector as columns that stand on 0, one an item; not finite ones are hatched over the whole height. */
export function Vector(props: VectorProps) {
  const { values, label, itemName, height = 64 } = props;
  const own = useSignal<number | null>(null);
  const cursor = props.cursor ?? own;
  const count = values.length;
  const at = cursor.value;
  const describe = props.describe ?? ((index, value) => `${itemName} ${index}: ${exact(value)}`);
  const onKey = (event: KeyboardEvent) => {
    const moved = movedCell(event, { row: 0, col: at ?? -1 }, 1, count, 1);
    if (moved) cursor.value = moved.col;
    else if (event.key === 'Escape' && at !== null) cursor.value = null;
    else return false;
    return true;
  };
  return (
    <ColumnChart
      kind="bar chart"
      description={`${label}: ${count} values. Arrow keys walk them, t shows a table, c copies the numbers.`}
      height={height + AXIS}
      table={{ label, rowName: itemName, columns: ['value'], rows: count, text: (row) => exact(values[row] ?? Number.NaN) }}
      cursor={cursor}
      reading={at === null || at >= count ? '\u00a0' : describe(at, values[at] ?? Number.NaN)}
      draw={(context, width) => drawColumns(context, width, height, props, at)}
      itemAt={(x, width) => Math.max(0, Math.min(count - 1, Math.floor(((x - GUTTER) / (width - GUTTER)) * count)))}
      onKey={onKey}
    />
  );
}

/** Room for the numbers at the ends of the vertical axis, CSS pixels. */
export const GUTTER = 44;
/** Room for the numbers of the items below, CSS pixels. */
const AXIS = 12;

interface Ends {
  readonly lo: number;
  readonly hi: number;
  /** 0…1 up the chart. */
  level(value: number): number;
}

function endsOf({ values, log = false, full }: VectorProps): Ends {
  let [lo, hi, least] = [0, 0, Infinity];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (!Number.isFinite(value)) continue;
    lo = Math.min(lo, value);
    hi = Math.max(hi, value);
    if (value > 0) least = Math.min(least, value);
  }
  if (log) {
    const floor = Math.min(least, hi / 10) / 1.5;
    const span = Math.log(hi / floor) || 1;
    return { lo: floor, hi, level: (value) => (value <= floor ? 0 : Math.log(value / floor) / span) };
  }
  if (full !== undefined) [lo, hi] = [lo < 0 ? -full : 0, hi > 0 ? full : 0];
  const span = hi - lo || 1;
  return { lo, hi, level: (value) => (value - lo) / span };
}

function drawColumns(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  props: VectorProps,
  cursor: number | null,
): void {
  const { values, log = false, marked } = props;
  const ends = endsOf(props);
  const zero = log ? height : (1 - ends.level(0)) * (height - 2) + 1;
  const step = (width - GUTTER) / Math.max(1, values.length);
  const lit = new Set(cursor === null ? [] : [cursor, ...(marked?.(cursor) ?? [])]);
  for (let i = 0; i < values.length; i++) {
    const x = GUTTER + i * step;
    const value = values[i] ?? 0;
    if (lit.has(i)) {
      context.fillStyle = ink.value.text;
      context.globalAlpha = 0.15;
      context.fillRect(x, 0, Math.max(1, step), height);
      context.globalAlpha = 1;
    }
    const finite = Number.isFinite(value);
    const y = finite ? (1 - ends.level(value)) * (height - 2) + 1 : 0;
    const [top, bottom] = finite ? [Math.min(y, zero), Math.max(y, zero)] : [0, height];
    context.fillStyle = colourOf(value, props);
    context.fillRect(x, top, Math.max(0.5, step - (step > 3 ? 1 : 0)), Math.max(0.5, bottom - top));
  }
  context.fillStyle = ink.value.line;
  context.fillRect(GUTTER, Math.round(zero) - (log ? 1 : 0), width - GUTTER, 1);
  drawEnds(context, height, ends, zero);
  drawItems(context, height, step, values.length);
}

function colourOf(value: number, { endless = false, log = false, magnitudes = log }: VectorProps): string {
  if (endless && value === Infinity) return ink.value.quiet;
  if (!Number.isFinite(value)) return ink.value.notFinite;
  if (magnitudes) return ink.value.series[0] ?? ink.value.text;
  return value < 0 ? ink.value.signs.negative : ink.value.signs.positive;
}

function drawEnds(context: CanvasRenderingContext2D, height: number, { lo, hi }: Ends, zero: number): void {
  context.font = `10px ${ink.value.family}`;
  context.fillStyle = ink.value.quiet;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  if (hi !== 0) context.fillText(compact(hi), GUTTER - 4, 6);
  if (lo !== 0) context.fillText(compact(lo), GUTTER - 4, height - 6);
  if (zero > 14 && zero < height - 14) context.fillText('0', GUTTER - 4, zero);
}

/** Which items stand where, as many as there is room for. */
function drawItems(context: CanvasRenderingContext2D, height: number, step: number, count: number): void {
  context.textAlign = 'center';
  const every = tickStep(26 / step);
  for (let i = 0; i < count; i += every) {
    const name = String(i);
    const half = Math.max(step, context.measureText(name).width) / 2;
    if (i * step + half <= count * step) context.fillText(name, GUTTER + (i + 0.5) * step, height + AXIS / 2 + 1);
  }
}
