import { useMemo } from 'preact/hooks';
import { useCanvas } from '../frame/useCanvas.js';
import './legend.css';
import { compact } from './numbers.js';
import { TABLE_SIZE } from './palette.js';
import { type ColourScale, paint, type Spread } from './scale.js';
import { ink } from './theme.js';
import type { Colour } from './useColour.js';

export interface LegendProps {
  readonly colour: Colour;
  /** What is coloured, with its unit: "L2 norm", "bits". */
  readonly unit: string;
  /** False where a natural range must not be changed. */
  readonly adjustable?: boolean;
}

const CLIPS = [
  { clip: 1, text: 'full range' },
  { clip: 0.999, text: 'clip 0.1 %' },
  { clip: 0.99, text: 'clip 1 %' },
  { clip: 0.95, text: 'clip 5 %' },
] as const;

/** What the colours mean: ends, unit, how values spread over them; linear or log, and which quantile is the end. */
export function Legend({ colour, unit, adjustable = true }: LegendProps) {
  const { scale, spread, settings } = colour;
  const density = useMemo(() => densityOf(scale, spread), [scale, spread]);
  const canvas = useCanvas((context, width, height) => drawBar(context, width, height, scale, density));
  const largest = Math.max(spread.max, -spread.min);
  // A difference that the digits do not show would read as if there were larger values.
  const clipped = largest > scale.hi && compact(largest) !== compact(scale.hi);
  const low = scale.kind === 'sequential' && scale.log ? `≤${compact(scale.lo)}` : compact(scale.lo);
  return (
    <span class="legend">
      <span>{unit}</span>
      <span>{scale.kind === 'diverging' && clipped ? `≤${low}` : low}</span>
      <canvas
        ref={canvas}
        class="legend-bar"
        role="img"
        aria-label={`Colours from ${compact(scale.lo)} to ${compact(scale.hi)}, ${scale.log ? 'logarithmic' : 'linear'}`}
        title={`${spread.count} values from ${compact(spread.min)} to ${compact(spread.max)}; the line is how many have each colour`}
      />
      <span>{clipped ? `≥${compact(scale.hi)}` : compact(scale.hi)}</span>
      {spread.notFinite > 0 && (
        <span>
          <i class="not-finite" style={{ background: `rgb(${scale.notFinite.join(' ')})` }} />
          {spread.notFinite} NaN or ∞
        </span>
      )}
      {adjustable && (
        <>
          <button
            type="button"
            title="Linear or logarithmic colours"
            onClick={() => {
              settings.value = { ...settings.value, log: !settings.value.log };
            }}
          >
            {settings.value.log ? 'log' : 'linear'}
          </button>
          <select
            aria-label="Values that the colours leave out"
            title="The largest values, which share the end colour: leaving out outliers shows more of the rest"
            value={String(settings.value.clip)}
            onChange={(event) => {
              settings.value = { ...settings.value, clip: Number(event.currentTarget.value) };
            }}
          >
            {CLIPS.map(({ clip, text }) => (
              <option key={clip} value={String(clip)}>
                {text}
              </option>
            ))}
          </select>
        </>
      )}
    </span>
  );
}

const strips = new WeakMap<ColourScale, OffscreenCanvas>();

/** All colours of a scale in a row, made once: a legend is drawn again with every frame of a gesture. */
function stripOf(scale: ColourScale): OffscreenCanvas {
  const known = strips.get(scale);
  if (known) return known;
  const pixels = new ImageData(TABLE_SIZE, 1);
  paint(
    Array.from({ length: TABLE_SIZE }, (_, x) => scale.value(x / (TABLE_SIZE - 1))),
    scale,
    pixels.data,
  );
  const strip = new OffscreenCanvas(TABLE_SIZE, 1);
  strip.getContext('2d')?.putImageData(pixels, 0, 0);
  strips.set(scale, strip);
  return strip;
}

function drawBar(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  scale: ColourScale,
  density: Float64Array,
): void {
  const bar = 8;
  context.drawImage(stripOf(scale), 0, height - bar, width, bar);
  context.strokeStyle = ink.value.line;
  context.strokeRect(0.5, height - bar + 0.5, width - 1, bar - 1);
  drawDensity(context, width, height - bar - 1, density);
}

/** How many values have each colour; magnitudes of signed values stand on both sides. */
function densityOf(scale: ColourScale, spread: Spread): Float64Array {
  const bins = new Float64Array(32);
  for (const magnitude of spread.magnitudes) {
    const position = scale.position(magnitude);
    const bin = Math.min(31, Math.floor(position * 32));
    bins[bin] = (bins[bin] ?? 0) + 1;
    if (scale.kind === 'diverging') bins[31 - bin] = (bins[31 - bin] ?? 0) + 1;
  }
  return bins;
}

function drawDensity(context: CanvasRenderingContext2D, width: number, height: number, bins: Float64Array): void {
  const most = Math.sqrt(Math.max(1, ...bins));
  context.fillStyle = ink.value.quiet;
  // Square roots, so that rare values are still seen beside the common ones.
  bins.forEach((count, bin) => {
    const tall = (Math.sqrt(count) / most) * height;
    context.fillRect((bin * width) / 32, height - tall, width / 32 - 0.5, tall);
  });
}
