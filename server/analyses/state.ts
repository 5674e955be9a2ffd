import type { StateLayer, StateStep } from '../protocol/inspect.js';
import type { WireTensor } from '../protocol/tensors.js';
import type { LayerView, RunView } from '../runtime/view.js';
import { norm } from '../tensor/reduce.js';
import { effectiveRank } from '../tensor/spectrum.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Analysis } from './analysis.js';
import { type Change, type Mixer, type Place, type Stretch, take } from './mixers/mixer.js';
import { type StateLayout, stateLayouts, stateSubject } from './stateLayout.js';
import { nearOf, readStretch } from './stretch.js';
import { checkIndex, layerOf, provenance } from './subject.js';

/** Every recurrent state of every layer, and how it is cut into pictures. */
export const overview: Analysis<'state/overview'> = async (view) => {
  const layers = view.layers.flatMap((layer): StateLayer[] => {
    const states = stateLayouts(layer);
    return states.length === 0 ? [] : [{ layer: layer.index, mixer: layer.mixer, states }];
  });
  return { layers, bytes: layers.flatMap((layer) => layer.states).reduce((sum, state) => sum + state.bytes, 0) };
};

/** The update of one token as an equation of pictures. */
export const step: Analysis<'state/step'> = async (view, params, { signal }) => {
  const started = performance.now();
  const subject = stateSubject(view, params);
  const { token, against, layer } = params;
  for (const index of [token, against ?? token]) checkIndex('token', index, view.ids.length);
  const { layout, rows, mixer } = subject;
  const { cols } = layout;
  const range = nearOf(view, token);
  const name = `state.${params.state}`;
  const names = [name, ...(mixer ? [...mixer.updateProbes, ...mixer.stepProbes] : [])];
  const stretch = await readStretch(view, layer, names, range, signal);
  const place = { token: token - range.from, group: params.group, size: layout.rows, rows, cols };
  const stateAfter = async (at: number): Promise<Float32Array> => {
    if (at < 0 && subject.learned) return beginning(view, layer, params.state, place, signal);
    if (at < 0 || at >= view.ids.length) return new Float32Array(rows * cols);
    const other = nearOf(view, at);
    const where = other.from === range.from ? stretch : await readStretch(view, layer, [name], other, signal);
    return take(where(name), { ...place, token: at - other.from }, cols);
  };
  const after = await stateAfter(token);
  const previous = mixer?.backwards ? token + 1 : token - 1;
  const before = await stateAfter(previous);
  const other = against === null ? null : await stateAfter(against);
  const wire = (data: Float32Array): WireTensor => ({ shape: [rows, cols], data });
  return {
    token,
    previous: previous >= 0 && previous < view.ids.length ? previous : null,
    before: wire(before),
    after: wire(after),
    ...(mixer ? updateOf(mixer, stretch, place, { before, after }) : plainUpdate(layout, layerOf(view, layer).mixer)),
    diff: other && wire(after.map((value, i) => value - (other[i] as number))),
    norm: norm(after),
    rank: effectiveRank(after, rows, cols),
    provenance: provenance(view, `blocks.${layer}.${name}`, started),
  };
};

/** A learned state as it is before the first token. */
async function beginning(view: RunView, layer: number, state: string, place: Place, signal: AbortSignal): Promise<Float32Array> {
  const name = `blocks.${layer}.state.${state}.initial`;
  const { shape, data } = (await view.probes([name], { signal, range: { from: 0, to: 1 } })).get(name) as Tensor;
  return take({ shape: [1, ...shape], data }, { ...place, token: 0 }, place.cols);
}

type Update = Pick<StateStep, 'decay' | 'removal' | 'write' | 'horizon' | 'horizonOf' | 'update' | 'identity'>;

function updateOf(mixer: Mixer, stretch: Stretch, place: Place, change: Change): Update {
  const wire = (data: Float32Array): WireTensor => ({ shape: [place.rows, place.cols], data });
  const decay = mixer.decay(stretch, place);
  return {
    decay: wire(decay),
    removal: mixer.removal && wire(mixer.removal(stretch, place, change.before)),
    write: wire(mixer.write(stretch, place)),
    horizon: horizonOf(decay, mixer, place),
    horizonOf: mixer.decays,
    update: mixer.update,
    identity: mixer.identity && {
      formula: mixer.identity.formula,
      ...compare(mixer.identity.sides(stretch, place, change)),
    },
  };
}

/** Of states that are not decayed and written to. */
const plainUpdates: Readonly<Record<string, string>> = {
  conv: 'window_t = (window_{t−1} without its oldest, x_t)',
  max: 'max_t = max(max_{t−1} − e^w, k_t)',
  m: 'm_t = max(log f_t + m_{t−1}, i_t)',
};

/** Of recurrences whose parts are not known one by one. */
const graphUpdates: Readonly<Partial<Record<LayerView['mixer'], string>>> = {
  lstm: 'h_t = o_t ⊙ tanh(c_t)',
  gru: 'h_t = z_t ⊙ h_{t−1} + (1 − z_t) ⊙ h̃_t',
  rnn: 'h_t = f(W x_t + R h_{t−1} + b): made anew at every token, nothing of it only decays',
  loop: 'state_t = body(state_{t−1}, x_t): what a step keeps and writes only the body says',
  linear_attention: 'S_t = S_{t−1} + k_t v_tᵀ, gated or by the delta rule as the operator says',
};

/** A window or a shift is replaced, not updated; a running maximum only keeps other states in range. */
const plainUpdate = ({ name, kind }: StateLayout, mixer: LayerView['mixer']): Update => ({
  decay: null,
  removal: null,
  write: null,
  horizon: null,
  horizonOf: 'row',
  update: graphUpdates[mixer] ?? plainUpdates[kind === 'conv' ? 'conv' : name] ?? 'state_t = x_t',
  identity: null,
});

/** Tokens until the slowest element of each row (or column) has decayed to 1/e, were this decay to go on. */
function horizonOf(decay: Float32Array, { decays }: Mixer, { rows, cols }: Place): WireTensor {
  const slowest = new Float32Array(decays === 'row' ? rows : cols);
  for (const [i, factor] of decay.entries()) {
    const at = decays === 'row' ? Math.floor(i / cols) : i % cols;
    slowest[at] = Math.max(slowest[at] as number, factor);
  }
  return {
    shape: [slowest.length],
    data: slowest.map((factor) => (factor >= 1 ? Number.POSITIVE_INFINITY : -1 / Math.log(factor))),
  };
}

function compare({
  left,
  right,
}: ReturnType<NonNullable<Mixer['identity']>['sides']>): Pick<NonNullable<StateStep['identity']>, 'error' | 'magnitude'> {
  let [error, magnitude] = [0, 0];
  for (const [i, value] of left.entries()) {
    const difference = Math.abs(value - (right[i] as number));
    // Written so that a NaN stays.
    if (!(difference <= error)) error = difference;
    magnitude = Math.max(magnitude, Math.abs(value));
  }
  return { error, magnitude };
}
