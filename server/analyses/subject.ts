import type { AttentionSpec } from '../graph/blocks/attention.js';
import { LabError } from '../protocol/errors.js';
import type { Provenance } from '../protocol/inspect.js';
import type { LayerView, RunView } from '../runtime/view.js';

/** What a picture is of, checked: a layer, a head, a token of the run. */

const outOfRange = (code: string, what: string, index: number, count: number) =>
  new LabError({
    code,
    message: count === 0 ? `There is no ${what}.` : `There is no ${what} ${index}: they go from 0 to ${count - 1}.`,
    hint: 'Select another one.',
  });

const noAttention = (layer: LayerView) =>
  new LabError({
    code: 'LAYER_WITHOUT_ATTENTION',
    message: `Layer ${layer.index} does not attend: it is recurrent (${layer.mixer}).`,
    hint: 'Show State shows what a recurrent layer remembers.',
  });

export function checkIndex(
  what: 'head' | 'KV head' | 'token' | 'layer' | 'channel group' | 'tile',
  index: number,
  count: number,
): void {
  const code = `${what.replace(/^.* /, '').toUpperCase()}_UNKNOWN`;
  if (!(Number.isInteger(index) && index >= 0 && index < count)) throw outOfRange(code, what, index, count);
}

export function layerOf(view: RunView, layer: number): LayerView {
  checkIndex('layer', layer, view.layers.length);
  return view.layers[layer] as LayerView;
}

export function attentionOf(view: RunView, layer: number): AttentionSpec {
  const found = layerOf(view, layer);
  if (!found.attention) throw noAttention(found);
  return found.attention;
}

/** How many tokens are looked at: those asked for, or all there are. A run that is being written has more than a view shows. */
export const countedTokens = (view: RunView, count: number): number => Math.min(count, view.ids.length);

/** Fills in where the numbers come from; `started` by performance.now(). */
export const provenance = (view: RunView, probe: string, started: number): Provenance => ({
  model: view.model.name,
  dtype: view.model.dtype,
  probe,
  provider: view.model.provider,
  ms: performance.now() - started,
});
