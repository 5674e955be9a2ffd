import { LabError } from '../protocol/errors.js';
import type { StateLayer } from '../protocol/inspect.js';
import type { StateSummary } from '../protocol/models.js';
import type { LayerView, RunView } from '../runtime/view.js';
import { sizeOf } from '../tensor/tensor.js';
import type { Mixer } from './mixers/mixer.js';
import { mixers } from './mixers/registry.js';
import { checkIndex, layerOf } from './subject.js';

/** How one state is cut into matrices that fit a picture. */
export type StateLayout = StateLayer['states'][number];

/** Channels of one picture of a state that has no heads. */
const GROUP = 64;

const noState = (layer: LayerView, name: string) =>
  new LabError({
    code: 'STATE_UNKNOWN',
    message: `Layer ${layer.index} has no recurrent state "${name}".`,
    hint: recurrent(layer).length === 0 ? 'Show KV Cache shows what it keeps.' : `It has ${recurrent(layer).join(', ')}.`,
  });

const recurrent = (layer: LayerView) => layer.state.filter((state) => state.kind !== 'kv').map((state) => state.name);

const channelGroups = { groupName: 'channel group', rowName: 'channel' } as const;

/** How this state is updated; null for windows, shifts, and states that only keep others in range. */
const mixerOf = (layer: LayerView, state: string): Mixer | null =>
  layer.mixer === 'attention' ? null : (mixers[layer.mixer].find((mixer) => mixer.state === state) ?? null);

function layoutOf(layer: LayerView, state: StateSummary): StateLayout {
  const shape = state.shape as readonly number[];
  const [first = 1, ...rest] = shape;
  const shared = { name: state.name, bytes: state.bytesFixed };
  if (state.kind === 'shift')
    return {
      ...shared,
      kind: 'shift',
      groups: 1,
      groupName: 'channel group',
      rows: 1,
      cols: first,
      rowName: 'row',
      colName: 'channel',
    };
  const { rowName, colName, byChannel } = mixerOf(layer, state.name) ?? {
    rowName: first === layer.heads ? 'head' : 'channel',
    colName: 'value',
  };
  if (rest.length === 2 && !byChannel) {
    const [rows = 1, cols = 1] = rest;
    return { ...shared, kind: 'matrix', groups: first, groupName: 'head', rows, cols, rowName, colName };
  }
  const rows = Math.min(GROUP, first);
  const groups = { ...channelGroups, groups: Math.ceil(first / rows), rows, cols: sizeOf(rest) };
  return state.kind === 'conv'
    ? { ...shared, ...groups, kind: 'conv', colName: 'position' }
    : { ...shared, ...groups, kind: 'matrix', rowName, colName };
}

/** The recurrent states of a layer; none for one that only attends. */
export const stateLayouts = (layer: LayerView): readonly StateLayout[] =>
  layer.state.filter((state) => state.kind !== 'kv').map((state) => layoutOf(layer, state));

export interface StateSubject {
  readonly layout: StateLayout;
  /** Rows of the group that is asked for: the last one of a layer may have fewer than the others. */
  readonly rows: number;
  /** How it is updated; null for windows and shifts, and what only keeps others in range. */
  readonly mixer: Mixer | null;
  /** It begins as the checkpoint says, not as zeros. */
  readonly learned: boolean;
}

/** One group of one state, checked. Errors: LAYER_UNKNOWN, STATE_UNKNOWN, HEAD_UNKNOWN, GROUP_UNKNOWN. */
export function stateSubject(
  view: RunView,
  { layer, state, group }: { layer: number; state: string; group: number },
): StateSubject {
  const found = layerOf(view, layer);
  const layout = stateLayouts(found).find((candidate) => candidate.name === state);
  if (!layout) throw noState(found, state);
  checkIndex(layout.groupName, group, layout.groups);
  const total = layout.bytes / Float32Array.BYTES_PER_ELEMENT / layout.cols;
  return {
    layout,
    rows: Math.min(layout.rows, total - group * layout.rows),
    mixer: mixerOf(found, state),
    learned: found.state.some(({ name, learned }) => name === state && learned === true),
  };
}
