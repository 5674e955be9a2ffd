import { signal } from '@preact/signals';
import type { AttentionTile } from '../../server/protocol/attention.js';
import type { LabErrorData } from '../../server/protocol/errors.js';
import type { Params } from '../../server/protocol/requests.js';
import type { Tile } from '../charts/grid.js';
import { errorData, request } from '../host.js';

export type TileParams = Params<'attention/tile'>;

/** Tiles kept, 256 kB each at most: enough to go back to where one was. */
const KEPT = 160;
/** Asked for at once: more would only wait in the server, where they cannot be put off. */
const AT_ONCE = 4;

const known = new Map<string, Tile>();
const running = new Map<string, AbortController>();
let wanted: readonly TileParams[] = [];

/** Changes when a tile has come. */
export const arrived = signal(0);
export const problem = signal<LabErrorData | null>(null);

const keyOf = (params: TileParams): string => JSON.stringify(params);

export function tileOf(params: TileParams): Tile | null {
  const key = keyOf(params);
  const tile = known.get(key);
  if (!tile) return null;
  known.delete(key);
  known.set(key, tile);
  return tile;
}

/** Asks for these tiles in their order, and for nothing else any more. */
export function want(tiles: readonly TileParams[]): void {
  wanted = tiles.filter((params) => !known.has(keyOf(params)));
  problem.value = null;
  const keys = new Set(wanted.map(keyOf));
  for (const [key, controller] of running) if (!keys.has(key)) controller.abort();
  pump();
}

/** The server began anew: its runs are computed again under their old names. */
export function forget(): void {
  known.clear();
  want([]);
}

function pump(): void {
  for (const params of wanted) {
    if (running.size >= AT_ONCE || problem.value) return;
    if (!running.has(keyOf(params))) void load(params);
  }
}

async function load(params: TileParams): Promise<void> {
  const key = keyOf(params);
  const controller = new AbortController();
  running.set(key, controller);
  try {
    const tile = await request('attention/tile', params, { signal: controller.signal });
    known.set(key, placed(tile));
    for (const oldest of known.keys()) {
      if (known.size <= KEPT) break;
      known.delete(oldest);
    }
    arrived.value++;
  } catch (error) {
    if (!controller.signal.aborted) problem.value = errorData(error);
  } finally {
    running.delete(key);
    wanted = wanted.filter((other) => keyOf(other) !== key || controller.signal.aborted);
    pump();
  }
}

/** Where a tile lies in the map. */
export function placed({ weights, queries, keys }: AttentionTile): Tile {
  return {
    row0: queries[0],
    row1: queries[1],
    col0: keys[0],
    col1: keys[1],
    rows: weights.shape[0] ?? 0,
    cols: weights.shape[1] ?? 0,
    data: weights.data,
  };
}
