import type { StateOverview, StateRanks, StateSeries, StateStep } from '../../server/protocol/inspect.js';
import type { Params } from '../../server/protocol/requests.js';
import type { WireTensor } from '../../server/protocol/tensors.js';
import { noise } from './syntheticTokens.js';

const SIZE = 64;
const STATES = 16;

export interface StateScene {
  readonly tokens: number;
  readonly layers: number;
  readonly mixer: 'mamba' | 'rwkv';
}

export function stateOverview({ layers, mixer }: StateScene): StateOverview {
  const shared = { groupName: 'channel group', rowName: 'channel' } as const;
  const matrix =
    mixer === 'rwkv'
      ? ({
          name: 'wkv',
          kind: 'matrix',
          groups: 3,
          rows: SIZE,
          cols: SIZE,
          rowName: 'value',
          colName: 'key',
          groupName: 'head',
          bytes: 49_152,
        } as const)
      : ({
          ...shared,
          name: 'ssm',
          kind: 'matrix',
          groups: 6,
          rows: SIZE,
          cols: STATES,
          colName: 'state',
          bytes: 24_576,
        } as const);
  const small =
    mixer === 'rwkv'
      ? ({
          ...shared,
          name: 'att_shift',
          kind: 'shift',
          groups: 1,
          rows: 1,
          cols: 192,
          rowName: 'row',
          colName: 'channel',
          bytes: 768,
        } as const)
      : ({ ...shared, name: 'conv', kind: 'conv', groups: 6, rows: SIZE, cols: 4, colName: 'position', bytes: 6_144 } as const);
  const list = Array.from({ length: layers }, (_, layer) => ({ layer, mixer, states: [matrix, small] }));
  return { layers: list, bytes: layers * (matrix.bytes + small.bytes) };
}

const tensor = (rows: number, cols: number, value: (row: number, col: number) => number): WireTensor => ({
  shape: [rows, cols],
  data: Float32Array.from({ length: rows * cols }, (_, i) => value(Math.floor(i / cols), i % cols)),
});

/** A small linear recurrence run up to the token, so that the pictures add up. */
function recur({ layer, group, token }: { layer: number; group: number; token: number }, scene: StateScene) {
  const [rows, cols] = scene.mixer === 'rwkv' ? [SIZE, SIZE] : [SIZE, STATES];
  const k = (t: number, col: number) => (noise(layer, group, t, 1, col) - 0.5) ** 3 * 4;
  const v = (t: number, row: number) => (noise(layer, group, t, 2, row) - 0.5) * 2;
  const factor = (t: number, row: number, col: number) =>
    scene.mixer === 'rwkv' ? 0.6 + 0.39 * noise(layer, group, col, 7) : Math.exp(-(col + 1) * 0.06 * noise(layer, row, t));
  let before = tensor(rows, cols, () => 0);
  let [decay, removal, write, after] = [before, before, before, before];
  for (let t = Math.max(0, token - 24); t <= token; t++) {
    before = after;
    decay = tensor(rows, cols, (row, col) => factor(t, row, col));
    removal = tensor(rows, cols, (row, col) => 0.15 * (before.data[row * cols + col] ?? 0) * Math.abs(k(t, col)) * 4);
    write = tensor(rows, cols, (row, col) => k(t, col) * v(t, row));
    const minus = scene.mixer === 'rwkv' ? removal.data : [];
    after = tensor(rows, cols, (row, col) => {
      const i = row * cols + col;
      return (decay.data[i] ?? 0) * (before.data[i] ?? 0) - (minus[i] ?? 0) + (write.data[i] ?? 0);
    });
  }
  return { rows, cols, before, after, decay, removal: scene.mixer === 'rwkv' ? removal : null, write };
}

const provenance = (scene: StateScene, probe: string) => ({
  model: `tiny-${scene.mixer}`,
  dtype: 'F32',
  probe,
  provider: 'cpu',
  ms: 8.1,
});

export function stateStep(params: Params<'state/step'>, scene: StateScene): StateStep {
  const shape = stateOverview(scene).layers[0]?.states.find(({ name }) => name === params.state);
  const previous = params.token === 0 ? null : params.token - 1;
  const base = {
    token: params.token,
    previous,
    rank: 11.2,
    provenance: provenance(scene, `blocks.${params.layer}.state.${params.state}`),
  };
  if (shape?.kind !== 'matrix') {
    const window = (token: number) =>
      tensor(shape?.rows ?? 1, shape?.cols ?? 1, (row, col) => noise(token + col, row, shape?.rows ?? 1) - 0.5);
    const none = {
      horizonOf: 'row' as const,
      decay: null,
      removal: null,
      write: null,
      diff: null,
      horizon: null,
      identity: null,
    };
    return {
      ...base,
      ...none,
      before: window(params.token - 1),
      after: window(params.token),
      norm: 3.1,
      update: 'window ← shift(window), x_t',
    };
  }
  const { rows, cols, ...pictures } = recur(params, scene);
  const other = params.against === null ? null : recur({ ...params, token: params.against }, scene).after;
  return {
    ...base,
    ...pictures,
    diff:
      other &&
      tensor(rows, cols, (row, col) => (pictures.after.data[row * cols + col] ?? 0) - (other.data[row * cols + col] ?? 0)),
    norm: Math.hypot(...pictures.after.data),
    horizon: {
      shape: [rows],
      data: Float32Array.from({ length: rows }, (_, row) =>
        row === 5 ? Infinity : -1 / Math.log(pictures.decay.data[row * cols + (row % cols)] ?? 0.5),
      ),
    },
    horizonOf: 'row',
    update: scene.mixer === 'rwkv' ? 'S_t = S_{t−1} (diag(w) − κ̂ᵀ(a ⊙ κ̂)) + v kᵀ' : 'h_t = exp(Δ A) ⊙ h_{t−1} + Δ B x_t',
    identity: {
      formula: scene.mixer === 'rwkv' ? 'y = S·r' : 'y = C·h + D·x',
      error: params.layer === 3 ? 3e-2 : 2.4e-7,
      magnitude: 1.8,
    },
  };
}

const overTokens = ({ tokens }: StateScene, value: (token: number) => number): WireTensor => ({
  shape: [tokens],
  data: Float32Array.from({ length: tokens }, (_, token) => value(token)),
});

export const stateRanks = (params: Params<'state/ranks'>, scene: StateScene): StateRanks => ({
  rank: overTokens(scene, (t) => 1 + 10 * (1 - Math.exp(-t / 20)) + noise(t, 5)),
  provenance: provenance(scene, `blocks.${params.layer}.state.${params.state}`),
});

export function stateSeries(params: Params<'state/series'>, scene: StateScene): StateSeries {
  const over = (value: (token: number) => number) => overTokens(scene, value);
  const matrix = params.state === 'wkv' || params.state === 'ssm';
  return {
    norm: over((t) => 8 * (1 - Math.exp(-t / 12)) + noise(t, 3, params.group)),
    write: matrix ? over((t) => (t === 4 ? Number.NaN : 1 + noise(t, 4) ** 3 * 4)) : null,
    decay: matrix ? over((t) => 0.7 + 0.25 * noise(t, 9)) : null,
    provenance: provenance(scene, `blocks.${params.layer}.state.${params.state}`),
  };
}
