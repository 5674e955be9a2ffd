import type { StateSeries } from '../protocol/inspect.js';
import type { WireTensor } from '../protocol/tensors.js';
import type { RunView, Watched } from '../runtime/view.js';
import { mean, norm } from '../tensor/reduce.js';
import { effectiveRank } from '../tensor/spectrum.js';
import type { Analysis } from './analysis.js';
import { breathe } from './breathe.js';
import { type Place, type Stretch, take } from './mixers/mixer.js';
import { stateSubject } from './stateLayout.js';
import { readStretch, stretchOf } from './stretch.js';
import { provenance } from './subject.js';

interface Group {
  readonly layer: number;
  readonly state: string;
  readonly group: number;
}

/** Tokens between two breaths: a rank is a millisecond's work, and whoever scrubs meanwhile does not wait. */
const BREATH = 16;

/** Size, write and decay of one group over all tokens. */
export const series: Analysis<'state/series'> = (view, params, watched) => {
  const T = view.ids.length;
  const make = async (shared: Watched): Promise<StateSeries> => {
    const started = performance.now();
    const { layout, mixer } = stateSubject(view, params);
    const lines = { norm: new Float32Array(T), write: new Float32Array(T), decay: new Float32Array(T) };
    await eachToken(view, params, mixer?.updateProbes ?? [], shared, (token, stretch, place) => {
      lines.norm[token] = norm(take(stretch(`state.${params.state}`), place, layout.cols));
      if (!mixer) return;
      lines.write[token] = norm(mixer.write(stretch, place));
      lines.decay[token] = mean(mixer.decay(stretch, place));
    });
    return {
      norm: wire(lines.norm),
      write: mixer && wire(lines.write),
      decay: mixer && wire(lines.decay),
      provenance: provenance(view, `blocks.${params.layer}.state.${params.state}`, started),
    };
  };
  return view.memo(keyOf('series', params, T), watched, make, () => 12 * T);
};

/** Effective rank of one group after every token: as many small eigenvalue problems, and most of the time that its history takes. */
export const ranks: Analysis<'state/ranks'> = (view, params, watched) => {
  const T = view.ids.length;
  const make = async (shared: Watched) => {
    const started = performance.now();
    const { layout, rows } = stateSubject(view, params);
    const rank = new Float32Array(T);
    await eachToken(view, params, [], shared, (token, stretch, place) => {
      rank[token] = effectiveRank(take(stretch(`state.${params.state}`), place, layout.cols), rows, layout.cols);
    });
    return { rank: wire(rank), provenance: provenance(view, `blocks.${params.layer}.state.${params.state}`, started) };
  };
  return view.memo(keyOf('ranks', params, T), watched, make, () => 4 * T);
};

const wire = (data: Float32Array): WireTensor => ({ shape: [data.length], data });

const keyOf = (what: string, { layer, state, group }: Group, tokens: number): string =>
  [what, layer, state, group, tokens].join('/');

/** Visits the tokens of a run in order, with the state and these probes of the stretch that each lies in. Errors: CANCELLED. */
async function eachToken(
  view: RunView,
  { layer, state, group }: Group,
  probes: readonly string[],
  { signal, progress }: Watched,
  visit: (token: number, stretch: Stretch, place: Place) => void,
): Promise<void> {
  const { layout, rows } = stateSubject(view, { layer, state, group });
  const T = view.ids.length;
  for (let first = 0; first < T; ) {
    const range = stretchOf(view, first);
    const stretch = await readStretch(view, layer, [`state.${state}`, ...probes], range, signal);
    for (let token = range.from; token < range.to; token++) {
      if (token % BREATH === 0) await breathe(signal);
      visit(token, stretch, { token: token - range.from, group, size: layout.rows, rows, cols: layout.cols });
    }
    first = range.to;
    progress(first, T, `state of layer ${layer}`);
  }
}
