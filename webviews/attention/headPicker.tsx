import type { LayerSummary } from '../../server/protocol/models.js';
import { Dropdown } from '../controls/controls.js';
import { reach } from '../frame/reach.js';
import { select } from '../frame/selection.js';

interface Props {
  readonly layers: readonly LayerSummary[];
  readonly layer: number;
  readonly head: number;
}

/** Layer and head by name; [ ] and { } do the same. */
export function HeadPicker({ layers, layer, head }: Props) {
  const heads = layers.find(({ index }) => index === layer)?.heads ?? 1;
  return (
    <>
      <Dropdown
        label="Layer"
        labelled
        value={String(layer)}
        options={layers.map(({ index, window, chunk }) => ({
          value: String(index),
          text: `${index}${reach(window, chunk)}`,
        }))}
        onChange={(value) => select({ layer: Number(value) })}
      />
      <Dropdown
        label="Head"
        labelled
        value={String(head)}
        options={Array.from({ length: heads }, (_, n) => ({ value: String(n), text: String(n) }))}
        onChange={(value) => select({ layer, head: Number(value) })}
      />
    </>
  );
}
