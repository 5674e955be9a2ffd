import type { AttentionCell, AttentionColumn, AttentionRow } from '../../server/protocol/attention.js';
import type { Loadable } from '../frame/loadable.js';
import { shownValue } from '../frame/loadable.js';
import { useRequest } from '../frame/useRequest.js';
import type { Arc } from './arcs.js';
import { type Edges, useEdges } from './useEdges.js';

/** Milliseconds that the keys may pause before a row is asked for. */
const SETTLE = 40;

export interface ReadingQuery {
  readonly run: string;
  readonly layer: number;
  readonly head: number;
  readonly count: number;
  readonly query: number | null;
  readonly selectedKey: number | null;
  /** Layers whose heaviest reads are looked for while nothing is selected. */
  readonly edgesOf: readonly number[] | null;
}

export interface Reading {
  /** What the query reads, who reads it, how the selected weight comes about. */
  readonly row: Loadable<AttentionRow>;
  readonly column: Loadable<AttentionColumn>;
  readonly cell: Loadable<AttentionCell>;
  readonly edges: Edges;
  readonly arcs: readonly Arc[];
}

/** What is said of the selected query and key; of nothing selected, what is read most. */
export function useReading({ run, layer, head, count, query, selectedKey, edgesOf }: ReadingQuery): Reading {
  const of = { run, layer, head };
  const row = useRequest('attention/row', query === null ? null : { ...of, query }, SETTLE);
  const column = useRequest(
    'attention/column',
    query === null || selectedKey !== null ? null : { ...of, key: query, count },
    SETTLE,
  );
  const cell = useRequest(
    'attention/cell',
    query === null || selectedKey === null ? null : { ...of, query, key: selectedKey },
    SETTLE,
  );
  const edges = useEdges(run, count, query === null ? edgesOf : null);
  const read = shownValue(row)?.top ?? [];
  const arcs = query === null ? edges.edges : read.map(({ token, weight }) => ({ query, key: token, weight }));
  return { row, column, cell, edges, arcs };
}
