import { type Signal, useSignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import type { StateLayer, StateStep } from '../../server/protocol/inspect.js';
import type { WireTensor } from '../../server/protocol/tensors.js';
import { type Cell, wholeTile } from '../charts/grid.js';
import { Heatmap } from '../charts/heatmap.js';
import { Legend } from '../charts/legend.js';
import { compact, exact } from '../charts/numbers.js';
import { type Colour, useColour } from '../charts/useColour.js';
import { useWidth } from '../charts/useSize.js';
import { isSum, mean, norm, spelled, termsAt } from './update.js';

export type StateShape = StateLayer['states'][number];

export interface EquationProps {
  readonly step: StateStep;
  readonly shape: StateShape;
  /** Token of `step.diff`; null without one. */
  readonly against: number | null;
}

interface Term {
  readonly sign: string;
  readonly name: string;
  readonly picture: WireTensor;
  readonly scale: 'state' | 'decay';
}

function termsOf({ token, previous, after, before, decay, removal, write }: StateStep, turned: boolean): readonly Term[] {
  const term = (sign: string, name: string, picture: WireTensor | null, scale: Term['scale'] = 'state'): Term[] =>
    picture ? [{ sign, name, picture: oriented(picture, turned), scale }] : [];
  const sum = decay !== null || write !== null;
  return [
    ...term('', `after ${token}`, after),
    ...term('=', 'decay', decay, 'decay'),
    ...term(decay ? '⊙' : sum ? '=' : '←', previous === null ? 'start' : `after ${previous}`, before),
    ...term('−', 'removal', removal),
    ...term('+', 'write', write),
  ];
}

/** The update of one token as an equation of pictures: states, removal and write share one scale, factors have their own. */
export function Equation({ step, shape, against }: EquationProps) {
  const host = useRef<HTMLDivElement>(null);
  const width = useWidth(host).value;
  const cursor = useSignal<Cell | null>(null);
  const turned = isTall(shape);
  const seen = turned ? turnedShape(shape) : shape;
  const terms = useMemo(() => termsOf(step, turned), [step, turned]);
  const diff = useMemo(() => step.diff && oriented(step.diff, turned), [step, turned]);
  const signed = useColour(
    [step.before.data, step.after.data, step.removal?.data ?? [], step.write?.data ?? [], step.diff?.data ?? []],
    { kind: 'diverging', settings: { clip: 0.99 } },
  );
  const factor = useColour([step.decay?.data ?? NOTHING], { kind: 'sequential', fixed: [0, 1] });
  const at = cursor.value;
  const { room, wraps } = pictureRoom(width, terms.length, seen);
  return (
    <div class="equation" ref={host}>
      <div class="equation-legends">
        <Legend colour={signed} unit="state" />
        {step.decay && <Legend colour={factor} unit="decay factor" adjustable={false} />}
      </div>
      <div class="equation-terms">
        {terms.map((term) => (
          <div class="term" key={term.sign + term.name.split(' ')[0]}>
            {(term.sign || wraps) && <span class="term-sign">{term.sign}</span>}
            <Picture
              {...term}
              shape={seen}
              colour={term.scale === 'decay' ? factor : signed}
              factor={term.scale === 'decay'}
              cursor={cursor}
              room={room}
            />
          </div>
        ))}
      </div>
      <p class="chart-reading" aria-live="polite">
        {at
          ? reading(step, shape, turned ? { row: at.col, col: at.row } : at)
          : `Point at an element to see its numbers. Down: ${seen.rowName}, across: ${seen.colName}.`}
      </p>
      {diff && against !== null && (
        <div class="term">
          <Picture
            name={`after ${step.token} − after ${against}`}
            picture={diff}
            shape={seen}
            colour={signed}
            cursor={cursor}
            room={room}
          />
        </div>
      )}
    </div>
  );
}

const NOTHING: readonly number[] = [];

interface PictureProps extends Pick<Term, 'name' | 'picture'> {
  readonly shape: StateShape;
  readonly colour: Colour;
  readonly cursor: Signal<Cell | null>;
  /** CSS pixels. */
  readonly room: number;
  /** Numbers that multiply, not states. */
  readonly factor?: boolean;
}

function Picture({ name, picture, shape, colour, cursor, room, factor = false }: PictureProps) {
  const [rows = 1, cols = 1] = picture.shape;
  const tiles = useMemo(() => [wholeTile(rows, cols, picture.data)], [picture]);
  const size = useMemo(
    () => (factor ? `mean ${compact(mean(picture.data))}` : `norm ${compact(norm(picture.data))}`),
    [picture, factor],
  );
  const flat = isFlat(shape);
  return (
    <figure class="picture" style={{ width: `${room}px` }}>
      <figcaption>
        <span>{name}</span> <span class="picture-norm">{size}</span>
      </figcaption>
      <Heatmap
        rows={rows}
        cols={cols}
        tiles={tiles}
        scale={colour.scale}
        label={name}
        rowName={shape.rowName}
        colName={shape.colName}
        shape={flat ? 'strip' : 'square'}
        height={flat ? Math.max(20, 6 * rows) : TALLEST}
        cell={flat ? 20 : LARGEST_CELL}
        cursor={cursor}
        reading={false}
      />
    </figure>
  );
}

/** CSS pixels. */
const TALLEST = 264;
const LARGEST_CELL = 16;
const SIGN = 22;
const NARROWEST = 96;

/** Many channels of a few numbers lie across the page rather than down it. */
const isTall = ({ rows, cols }: StateShape): boolean => rows > 2 * cols;

const turnedShape = (shape: StateShape): StateShape => ({
  ...shape,
  rows: shape.cols,
  cols: shape.rows,
  rowName: shape.colName,
  colName: shape.rowName,
});

function oriented(matrix: WireTensor, turned: boolean): WireTensor {
  if (!turned) return matrix;
  const [rows = 1, cols = 1] = matrix.shape;
  return { shape: [cols, rows], data: matrix.data.map((_, at) => matrix.data[(at % rows) * cols + Math.floor(at / rows)] ?? 0) };
}

/** A row of a few long vectors is drawn as a strip. */
const isFlat = ({ rows, cols }: StateShape): boolean => cols > 6 * rows;

/** All pictures are equally large: in one line where they fit, else two a line; in whole pixels a cell where that leaves them large enough. */
function pictureRoom(width: number, count: number, shape: StateShape): { readonly room: number; readonly wraps: boolean } {
  const { rows, cols } = shape;
  const line = Math.floor((width - (count - 1) * SIGN) / count);
  const wraps = line < NARROWEST;
  const each = Math.max(NARROWEST, wraps ? Math.floor(width / 2) - SIGN : line);
  if (isFlat(shape)) return { room: Math.min(width, Math.max(each, Math.min(cols, 320))), wraps: false };
  const cell = Math.min(each / cols, TALLEST / rows, LARGEST_CELL);
  const whole = Math.floor(cell) * cols;
  return { room: whole >= NARROWEST ? whole : Math.max(NARROWEST, Math.floor(cell * cols)), wraps };
}

function reading(step: StateStep, { rowName, colName, cols }: StateShape, { row, col }: Cell): string {
  const index = row * cols + col;
  const where = `${rowName} ${row}, ${colName} ${col}`;
  const diff = step.diff ? ` · difference ${exact(step.diff.data[index] ?? Number.NaN)}` : '';
  const terms = termsAt(step, index);
  if (!isSum(step)) return `${where}: ${exact(terms.after)}, before ${exact(terms.before)}${diff}`;
  return `${where}: ${spelled(terms)}${diff}`;
}
