import { useEffect, useRef } from 'preact/hooks';
import type { RunDetail, TokenInfo } from '../../server/protocol/runs.js';
import { many } from '../charts/numbers.js';
import { useWidth } from '../charts/useSize.js';
import { patchStyle } from '../frame/patch.js';
import { type Picture, patchPlace } from '../frame/picture.js';
import { hover, select, selection } from '../frame/selection.js';
import { spokenToken } from '../frame/tokenText.js';
import { boxId, boxOf, tokenOf, useMark } from './tokenBoxes.js';
import './patchFlow.css';

interface Props {
  readonly run: RunDetail;
  readonly picture: Picture;
}

/** CSS pixels: the whole image is seen where its patches can still be pointed at. */
const PATCH = { least: 4, most: 40, gap: 1, edge: 4 } as const;

/** The image as the model was given it, cut into its tokens; those that are no patch stand above. Click selects. */
export function PatchFlow({ run, picture }: Props) {
  const list = useRef<HTMLDivElement>(null);
  const room = useWidth(list).value - PATCH.edge;
  const tokens = run.tokenInfos;
  const selected = selection.value.token;
  const place = (token: TokenInfo) => picture.cells[token.index] ?? null;
  const others = tokens.filter((token) => place(token) === null);
  const patches = tokens.filter((token) => place(token) !== null);
  const size = Math.max(PATCH.least, Math.min(PATCH.most, Math.floor((room + PATCH.gap) / picture.cols) - PATCH.gap));
  useMark(list, 'selected', selected === null ? [] : [selected], tokens.length);
  useMark(list, 'hovered', hover.value === null ? [] : [hover.value], tokens.length);
  useEffect(() => {
    if (selected !== null) boxOf(list.current, selected)?.scrollIntoView({ block: 'nearest' });
  }, [selected, run.id]);
  const onKeyDown = (event: KeyboardEvent) => {
    const next = moved(event, picture, selected);
    if (next === undefined) return;
    hover.value = null;
    select({ token: next });
    event.preventDefault();
  };
  return (
    <div
      ref={list}
      class="patches"
      role="listbox"
      tabIndex={0}
      aria-label={`${patches.length} patches in ${picture.rows} rows of ${picture.cols}${others.length > 0 ? `, and ${many(others.length, 'other token')}` : ''}`}
      aria-activedescendant={selected === null ? undefined : boxId('token', selected)}
      onKeyDown={onKeyDown}
      onClick={(event) => {
        const token = tokenOf(event);
        if (token !== null) select({ token });
      }}
      onMouseMove={(event) => {
        hover.value = tokenOf(event);
      }}
      onMouseLeave={() => {
        hover.value = null;
      }}
    >
      {others.map((token) => (
        <Box key={token.index} token={token} text={token.text} />
      ))}
      <div class="patch-grid" style={{ gridTemplateColumns: `repeat(${picture.cols}, max-content)` }}>
        {patches.map((token) => (
          <Box key={token.index} token={token} style={styleOf(picture, token.index, size)} />
        ))}
      </div>
    </div>
  );
}

const styleOf = (picture: Picture, token: number, size: number) => {
  const place = patchPlace(picture, token);
  return place ? patchStyle(picture, place, size) : {};
};

interface BoxProps {
  readonly token: TokenInfo;
  readonly text?: string;
  readonly style?: Readonly<Record<string, string>>;
}

const Box = ({ token, text = '', style = {} }: BoxProps) => (
  <span
    id={boxId('token', token.index)}
    data-token={token.index}
    class={text === '' ? 'patch-box' : 'patch-box named'}
    role="option"
    tabIndex={-1}
    aria-selected={false}
    aria-label={spokenToken(token)}
    style={style}
  >
    {text}
  </span>
);

/** Arrows walk the image, Home and End the tokens, Esc leaves; undefined for other keys. */
function moved(event: KeyboardEvent, { cells, rows, cols }: Picture, from: number | null): number | null | undefined {
  const last = cells.length - 1;
  if (event.key === 'Escape') return null;
  if (event.key === 'Home') return 0;
  if (event.key === 'End') return last;
  if (!event.key.startsWith('Arrow')) return undefined;
  if (from === null) return 0;
  const cell = cells[from] ?? null;
  if (cell === null) return cells.indexOf(0) < 0 ? from : cells.indexOf(0);
  const [row, col] = [Math.floor(cell / cols), cell % cols];
  const down = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  const right = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
  const [toRow, toCol] = [row + down, col + right];
  if (toRow < 0) return cells.indexOf(null) < 0 ? from : cells.indexOf(null);
  if (toRow >= rows || toCol < 0 || toCol >= cols) return from;
  return cells.indexOf(toRow * cols + toCol);
}
