import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { RunDetail } from '../../server/protocol/runs.js';
import type { Cell } from '../charts/grid.js';
import { Heatmap } from '../charts/heatmap.js';
import { Legend } from '../charts/legend.js';
import { compact } from '../charts/numbers.js';
import { useColour } from '../charts/useColour.js';
import { axis, axisPixels } from '../frame/axis.js';
import { shownValue } from '../frame/loadable.js';
import { hover, select, selection } from '../frame/selection.js';
import { Failed, Loaded } from '../frame/states.js';
import { TokenStrip } from '../frame/tokenStrip.js';
import { visibleText } from '../frame/tokenText.js';
import { type Arc, Arcs } from './arcs.js';
import { fitMap, queryKeyAxes, rowPixels, rowRoom } from './axes.js';
import { type MapTiles, useMapTiles } from './mapTiles.js';
import { QueryLabels } from './queryLabels.js';
import { problem } from './tileStore.js';

interface Props {
  readonly run: RunDetail;
  readonly layer: number;
  readonly head: number;
  readonly pool: 'mean' | 'max';
  /** False: a query sees the tokens behind it too. */
  readonly causal: boolean;
  /** What the selected query reads, or the heaviest reads of all. */
  readonly arcs: readonly Arc[];
  readonly selectedKey: number | null;
  onCell(cell: Cell): void;
}

/** One head: every query (down) by every key (right), under the token strip, with arcs over it. */
export function HeadMap(props: Props) {
  const { run, layer, head, pool, causal, arcs } = props;
  const tokens = run.tokenInfos;
  const count = tokens.length;
  const map = useMapTiles({ run: run.id, layer, head, count, pool, causal });
  const strip = useRef<HTMLDivElement>(null);
  useRoom(strip, count);
  useFit(run.id, count);
  return (
    <div class="map">
      <div class="map-strip" ref={strip}>
        <TokenStrip tokens={tokens} label="Keys" colour="none" above={<Arcs arcs={arcs} />} />
      </div>
      <Loaded of={map.whole} what={`Attention of head ${layer}.${head}`}>
        {() => <Picture {...props} map={map} />}
      </Loaded>
    </div>
  );
}

/** A run is first seen as a whole, and stays so when the window changes until someone zooms. */
function useFit(run: string, count: number): void {
  const fitted = useRef({ run: '', width: 0 });
  const [pixels, room] = [axisPixels.value, rowRoom.value];
  useEffect(() => {
    if (pixels === 0 || room === 0 || count === 0) return;
    const { run: before, width } = fitted.current;
    if (before === run && Math.abs(axis.peek().width - width) > 1e-6) return;
    fitMap(count);
    fitted.current = { run, width: axis.peek().width };
  }, [run, count, pixels, room]);
}

/** Lower, a map cannot be read and the page scrolls instead; a short run has room for its labels. */
const LEAST_HEIGHT = 340;
const LABELLED = { tokens: 56, height: 12 } as const;
const leastHeight = (count: number): number =>
  count <= LABELLED.tokens ? Math.max(LEAST_HEIGHT, count * LABELLED.height) : LEAST_HEIGHT;

function Picture({ run, layer, head, pool, causal, selectedKey, onCell, map }: Props & { readonly map: MapTiles }) {
  const tokens = run.tokenInfos;
  const count = tokens.length;
  const cursor = useSignal<Cell | null>(null);
  const height = Math.min(rowRoom.value, Math.ceil(count * axis.value.width));
  const colour = useColour(
    map.colouredBy,
    // The first rows have few keys and thus large weights: at full range they alone would be seen.
    { kind: 'sequential', settings: { clip: 0.999 } },
  );
  const axes = queryKeyAxes(count);
  useLayoutEffect(() => {
    rowPixels.value = height;
  }, [height]);
  const query = selection.value.token;
  const text = (index: number) => `${index} “${tokens[index] ? visibleText(tokens[index]) : ''}”`;
  useEffect(() => {
    if (query !== null && query < count) axes.rows?.reveal(query);
  }, [query, count]);
  return (
    <>
      <div class="map-grid">
        <QueryLabels tokens={tokens} height={height} selected={query} hovered={cursor.value?.row ?? null} />
        <Heatmap
          rows={count}
          cols={count}
          tiles={map.tiles}
          scale={colour.scale}
          label={`Attention of head ${layer}.${head}`}
          rowName="query"
          colName="key"
          describe={({ row, col }, value) =>
            causal && col > row
              ? `query ${text(row)} comes before key ${text(col)}: masked`
              : `query ${text(row)} reads key ${text(col)}: ${compact(value)}${pooledNote(map, pool, row, col)}`
          }
          height={height}
          columns={axes}
          cursor={cursor}
          lower={causal}
          selectedRow={query}
          selected={query === null || selectedKey === null ? null : { row: query, col: selectedKey }}
          onSelect={(cell) => {
            if (!causal || cell.col <= cell.row) onCell(cell);
            else select({ token: cell.row });
          }}
          onHover={(cell) => {
            hover.value = cell?.col ?? null;
          }}
          onViewport={map.onViewport}
        />
      </div>
      <div class="map-foot">
        <Legend colour={colour} unit="weight" />
        <span class="quiet">{zoomNote(axis.value.width, pool, map)}</span>
      </div>
      {problem.value && <Failed error={problem.value} retry={map.retry} />}
    </>
  );
}

/** Follows the height that is left in the window below the strip. */
function useRoom(strip: { readonly current: HTMLElement | null }, count: number): void {
  useEffect(() => {
    const measure = () => {
      const { bottom, width } = strip.current?.getBoundingClientRect() ?? { bottom: 0, width: LEAST_HEIGHT };
      rowRoom.value = Math.floor(Math.max(Math.min(leastHeight(count), width), innerHeight - bottom - scrollY - 92));
    };
    const observer = new ResizeObserver(measure);
    if (strip.current) observer.observe(strip.current);
    addEventListener('resize', measure);
    return () => {
      observer.disconnect();
      removeEventListener('resize', measure);
    };
  }, [strip, count]);
}

/** Says when a picture's cell stands for several weights, or for queries that were not looked at. */
function pooledNote({ tiles, whole }: MapTiles, pool: 'mean' | 'max', row: number, col: number): string {
  const tile = tiles.findLast(({ row0, row1, col0, col1 }) => row >= row0 && row < row1 && col >= col0 && col < col1);
  if (!tile) return '';
  const sampled = tile === tiles[0] ? (shownValue(whole)?.sampled ?? null) : null;
  if (sampled !== null) return ` (sketch: the nearest of ${sampled} queries)`;
  const size = Math.max((tile.row1 - tile.row0) / tile.rows, (tile.col1 - tile.col0) / tile.cols);
  return size > 1.001 ? ` (${pool} of about ${compact(size)} × ${compact(size)})` : '';
}

function zoomNote(width: number, pool: 'mean' | 'max', { whole, sharpening, progress }: MapTiles): string {
  const device = width * devicePixelRatio;
  const zoom =
    device >= 1 ? `${compact(Math.round(width * 10) / 10)} px a token` : `${compact(1 / device)} tokens a pixel, ${pool}`;
  const sampled = shownValue(whole)?.sampled ?? null;
  const told = [
    zoom,
    ...(sampled === null ? [] : [`sketch from ${sampled} queries`]),
    ...(progress ? [`${progress.done} of ${progress.total} queries`] : sharpening ? ['sharpening'] : []),
  ];
  return told.join(' · ');
}
