import type { Analysis, AnalysisMethod } from './analysis.js';
import { thumbnails } from './attentionOverview.js';
import { cell, row } from './attentionRow.js';
import { column, edges } from './attentionSearch.js';
import { preview, tile } from './attentionTile.js';
import * as cache from './cache.js';
import * as graph from './graphValue.js';
import * as state from './state.js';
import { ranks, series } from './stateSeries.js';

/** One line an analysis; a method without one does not compile. */
export const analyses: { readonly [M in AnalysisMethod]: Analysis<M> } = {
  'attention/thumbnails': thumbnails,
  'attention/preview': preview,
  'attention/tile': tile,
  'attention/column': column,
  'attention/edges': edges,
  'attention/row': row,
  'attention/cell': cell,
  'cache/overview': cache.overview,
  'cache/map': cache.map,
  'cache/received': cache.received,
  'cache/slice': cache.slice,
  'state/overview': state.overview,
  'state/series': series,
  'state/ranks': ranks,
  'state/step': state.step,
  'graph/value': graph.value,
  'graph/norms': graph.norms,
  'graph/flow': graph.flow,
};
