import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { type AttentionTile, coarsestLevel, TILE } from '../../server/protocol/attention.js';
import type { Tile, Window } from '../charts/grid.js';
import type { Loadable } from '../frame/loadable.js';
import { shownValue } from '../frame/loadable.js';
import { useRequest } from '../frame/useRequest.js';
import { type Progress, server } from '../host.js';
import { arrived, forget, placed, type TileParams, tileOf, want } from './tileStore.js';

/** Tokens from which a head is first sketched from a sample of its queries: all of them then take more than a blink. */
export const SKETCH_FROM = 4096;
/** Milliseconds that a gesture may pause before its tiles are asked for; those that are here are drawn at once. */
const SETTLE = 20;

export interface MapQuery {
  readonly run: string;
  readonly layer: number;
  readonly head: number;
  /** Queries and keys of the run. */
  readonly count: number;
  readonly pool: 'mean' | 'max';
  /** A query sees no later key. */
  readonly causal: boolean;
}

export interface MapTiles {
  /** The whole head: a sketch first, when it is long. */
  readonly whole: Loadable<AttentionTile>;
  /** Coarse before sharp. */
  readonly tiles: readonly Tile[];
  /** What sets the colours: the whole head, or of means the first complete picture at this zoom, so that they stay while it is panned. */
  readonly colouredBy: readonly ArrayLike<number>[];
  readonly sharpening: boolean;
  /** How far the whole head is. */
  readonly progress: Progress | null;
  /** Asks again for tiles that could not be computed. */
  retry(): void;
  onViewport(window: Window, rows: number, cols: number): void;
}

interface View {
  readonly window: Window;
  /** Tokens a device pixel. */
  readonly density: number;
}

/** Like a street map: all of the head at once, then the tiles on screen at the level at which a cell is about a pixel. */
export function useMapTiles(query: MapQuery): MapTiles {
  const { run, layer, head, count, pool } = query;
  const view = useSignal<View | null>(null);
  const subject = { run, layer, head, count, pool };
  const top = coarsestLevel(count);
  const sketched = useRequest('attention/preview', count >= SKETCH_FROM ? subject : null);
  const computed = useRequest('attention/tile', count > 0 ? { ...subject, level: top, row: 0, col: 0 } : null);
  const whole = sketched.state === 'ready' && computed.state === 'loading' ? sketched : computed;
  const below = shownValue(whole);

  const level = view.value ? Math.max(0, Math.min(top, Math.round(Math.log2(view.value.density)))) : top;
  const places = view.value && level < top ? tilesIn(view.value.window, level, query) : [];
  const around = view.value && level < top ? ringOf(view.value.window, level, query) : [];
  const wanted = [...places, ...around].map((place) => ({ ...subject, ...place }));
  useWanted(wanted);

  const loaded = places.map((place) => tileOf({ ...subject, ...place }));
  const complete = loaded.every((tile) => tile !== null);
  // A largest weight is as large at every zoom; a mean is larger the fewer weights it is of.
  const perLevel = pool === 'mean' && level < top;
  const version = arrived.value;
  const key = JSON.stringify([subject, places]);
  const bottom = useMemo(() => below && placed(below), [below]);
  const ofWhole = useMemo(() => (bottom ? [bottom.data] : []), [bottom]);
  const ofLevel = useComplete(JSON.stringify([subject, level]), loaded, ofWhole);
  const tiles = useMemo(() => {
    const coarser = view.value
      ? Array.from({ length: Math.max(0, top - level - 1) }, (_, i) => top - 1 - i).flatMap((between) =>
          tilesIn((view.value as View).window, between, query).map((place) => tileOf({ ...subject, ...place })),
        )
      : [];
    const fine = [...coarser, ...loaded].filter((tile) => tile !== null);
    return bottom ? [bottom, ...fine] : fine;
  }, [bottom, version, key]);
  return {
    whole,
    tiles,
    colouredBy: perLevel ? ofLevel : ofWhole,
    progress: computed.state === 'loading' ? computed.progress : null,
    retry: () => want(wanted),
    sharpening: computed.state === 'loading' || !complete,
    onViewport: (window, _rows, cols) => {
      if (window.col1 > window.col0) view.value = { window, density: (window.col1 - window.col0) / cols };
    },
  };
}

/** Tiles are asked for when a gesture pauses; those no longer on screen are not. */
function useWanted(tiles: readonly TileParams[]): void {
  const ready = server.value === 'ready';
  useEffect(() => {
    if (!ready) return forget();
    const timer = setTimeout(() => want(tiles), SETTLE);
    return () => clearTimeout(timer);
  }, [JSON.stringify(tiles), ready]);
  useEffect(() => () => want([]), []);
}

/** The values of the first complete picture under a key; `otherwise` until there is one. */
function useComplete(
  key: string,
  parts: readonly (Tile | null)[],
  otherwise: readonly ArrayLike<number>[],
): readonly ArrayLike<number>[] {
  const first = useRef<{ readonly key: string; readonly values: readonly ArrayLike<number>[] }>({ key: '', values: [] });
  const here = parts.filter((tile) => tile !== null);
  if (first.current.key !== key && here.length > 0 && here.length === parts.length)
    first.current = { key, values: here.map(({ data }) => data) };
  return first.current.key === key ? first.current.values : otherwise;
}

type Place = Pick<TileParams, 'level' | 'row' | 'col'>;

/** Tiles of a level that touch a window, those in its middle first. */
function tilesIn(window: Window, level: number, { count, causal }: MapQuery): Place[] {
  const size = TILE * 2 ** level;
  const last = Math.ceil(count / size) - 1;
  const span = (from: number, to: number) =>
    [Math.max(0, Math.floor(from / size)), Math.min(last, Math.ceil(to / size) - 1)] as const;
  const [row0, row1] = span(window.row0, window.row1);
  const [col0, col1] = span(window.col0, window.col1);
  const places: Place[] = [];
  for (let row = row0; row <= row1; row++)
    for (let col = col0; col <= col1; col++) if (!causal || col <= row) places.push({ level, row, col });
  const far = ({ row, col }: Place) => Math.abs(row - (row0 + row1) / 2) + Math.abs(col - (col0 + col1) / 2);
  return places.sort((a, b) => far(a) - far(b));
}

/** Those around them: where a pan leads to. */
function ringOf(window: Window, level: number, query: MapQuery): Place[] {
  const size = TILE * 2 ** level;
  const { row0, row1, col0, col1 } = window;
  const inside = new Set(tilesIn(window, level, query).map(({ row, col }) => `${row}.${col}`));
  const wider = { row0: row0 - size, row1: row1 + size, col0: col0 - size, col1: col1 + size };
  return tilesIn(wider, level, query).filter(({ row, col }) => !inside.has(`${row}.${col}`));
}
