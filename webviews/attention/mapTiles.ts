import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { AttentionMap } from '../../server/protocol/inspect.js';
import type { Params } from '../../server/protocol/requests.js';
import type { Tile, Window } from '../charts/grid.js';
import type { Loadable } from '../frame/loadable.js';
import { shownValue } from '../frame/loadable.js';
import { useRequest } from '../frame/useRequest.js';

/** Cells a side of the picture that is always there, and of the sharp part on top of it: 512² floats are 1 MB. */
const COARSE = 256;
const FINE = 512;
/** Milliseconds that a gesture may pause before its part of the map is asked for. */
const SETTLE = 90;

export interface MapQuery {
  readonly run: string;
  readonly layer: number;
  readonly head: number;
  /** Queries and keys of the run. */
  readonly count: number;
  readonly pool: 'mean' | 'max';
}

export interface MapTiles {
  readonly whole: Loadable<AttentionMap>;
  /** Coarse before sharp. */
  readonly tiles: readonly Tile[];
  readonly sharpening: boolean;
  onViewport(window: Window, rows: number, cols: number): void;
}

/** Like a street map: a coarse picture of the whole head at once, then what is on screen at its resolution. */
export function useMapTiles({ run, layer, head, count, pool }: MapQuery): MapTiles {
  const view = useSignal<{ readonly window: Window; readonly rows: number; readonly cols: number } | null>(null);
  const subject = { run, layer, head, pool };
  const side = Math.min(count, COARSE);
  const coarse: Params<'attention/map'> = { ...subject, queries: [0, count], keys: [0, count], rows: side, cols: side };
  const fine = view.value && count > COARSE ? part(view.value.window, view.value.rows, view.value.cols) : null;
  const whole = useRequest('attention/map', count > 0 ? coarse : null);
  const sharp = useRequest('attention/map', fine && { ...subject, ...fine }, SETTLE);
  const below = shownValue(whole);
  const above = sharp.state === 'ready' ? sharp.value : null;
  // A sharp part that belongs to the last window stays only as long as it is asked for.
  const key = fine ? `${fine.queries} ${fine.keys}` : '';
  const tiles = useMemo(
    () => [
      ...(below ? [tile(below, [0, count], [0, count])] : []),
      ...(above && fine ? [tile(above, fine.queries, fine.keys)] : []),
    ],
    [below, above, count, key],
  );
  return {
    whole,
    tiles,
    sharpening: sharp.state === 'loading',
    onViewport: (window, rows, cols) => {
      view.value = { window, rows, cols };
    },
  };
}

type Part = Pick<Params<'attention/map'>, 'queries' | 'keys' | 'rows' | 'cols'>;

function part({ row0, row1, col0, col1 }: Window, rows: number, cols: number): Part | null {
  if (row1 <= row0 || col1 <= col0) return null;
  return {
    queries: [row0, row1],
    keys: [col0, col1],
    rows: Math.min(FINE, row1 - row0, rows),
    cols: Math.min(FINE, col1 - col0, cols),
  };
}

const tile = (
  { weights }: AttentionMap,
  [row0, row1]: readonly [number, number],
  [col0, col1]: readonly [number, number],
): Tile => ({
  row0,
  row1,
  col0,
  col1,
  rows: weights.shape[0] ?? 0,
  cols: weights.shape[1] ?? 0,
  data: weights.data,
});
