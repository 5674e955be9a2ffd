import { type Signal, useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import {
  type ColourScale,
  colourScale,
  DEFAULT_SETTINGS,
  type ScaleKind,
  type ScaleSettings,
  type Spread,
  spread,
} from './scale.js';
import { ground } from './theme.js';

export interface Colour {
  readonly scale: ColourScale;
  readonly spread: Spread;
  readonly settings: Signal<ScaleSettings>;
}

export interface ColourOptions {
  readonly kind: ScaleKind;
  /** Natural ends of the quantity, e.g. 0…1 for weights. */
  readonly fixed?: readonly [lo: number, hi: number];
  readonly settings?: Partial<ScaleSettings>;
}

/** One scale for pictures that are compared. `parts` are the values of all of them; equal arrays keep the scale. */
export function useColour(parts: readonly ArrayLike<number>[], { kind, fixed, settings: initial }: ColourOptions): Colour {
  const settings = useSignal<ScaleSettings>({ ...DEFAULT_SETTINGS, ...initial });
  const values = useMemo(() => spread(parts), parts);
  const scale = useMemo(
    () => colourScale(kind, values, settings.value, ground.value, fixed),
    [kind, values, settings.value, ground.value, fixed?.[0], fixed?.[1]],
  );
  return { scale, spread: values, settings };
}
