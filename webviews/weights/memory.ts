import { rowsKept } from '../../server/protocol/keeps.js';
import type { LayerSummary, StateSummary } from '../../server/protocol/models.js';

/** fp32 bytes of one state after `tokens` tokens. */
export const bytesAt = ({ bytesFixed, bytesPerToken, keeps }: StateSummary, tokens: number): number =>
  bytesFixed + bytesPerToken * rowsKept(keeps, tokens);

/** fp32 bytes of all states of all layers after `tokens` tokens. */
export const totalBytesAt = (layers: readonly LayerSummary[], tokens: number): number =>
  layers.reduce((total, { state }) => total + state.reduce((sum, item) => sum + bytesAt(item, tokens), 0), 0);

export interface LayerRun {
  readonly first: number;
  readonly last: number;
  readonly layer: LayerSummary;
}

/** Neighbouring layers that declare the same. */
export function runsOf(layers: readonly LayerSummary[]): readonly LayerRun[] {
  const runs: LayerRun[] = [];
  for (const layer of layers) {
    const run = runs.at(-1);
    if (run && same(run.layer, layer)) runs[runs.length - 1] = { ...run, last: layer.index };
    else runs.push({ first: layer.index, last: layer.index, layer });
  }
  return runs;
}

const same = (a: LayerSummary, b: LayerSummary): boolean =>
  JSON.stringify({ ...a, index: 0 }) === JSON.stringify({ ...b, index: 0 });
