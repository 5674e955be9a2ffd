import { useEffect, useRef } from 'preact/hooks';
import type { AttentionThumbnails } from '../../server/protocol/attention.js';
import type { LayerSummary } from '../../server/protocol/models.js';
import { table } from '../charts/palette.js';
import { ground } from '../charts/theme.js';
import { select } from '../frame/selection.js';
import { useCanvas } from '../frame/useCanvas.js';
import { isScored, type Order, overview, ranked, want } from './thumbnails.js';

interface Props {
  readonly layers: readonly LayerSummary[];
  readonly order: Order;
  /** Tokens of the run: those after the query are not drawn. */
  readonly tokens: number;
  /** The head that the map shows. */
  readonly shown: Head;
}

interface Head {
  readonly layer: number;
  readonly head: number;
}

/**
 * Every head of the model at a glance: layers × heads, or one list by score. Heads that share keys and values stand together. The grid is one
 * stop of the tab key; arrow keys walk it.
 */
export function HeadGrid({ layers, order, tokens, shown }: Props) {
  const known = overview.value;
  const missing = layers.filter(({ index }) => !isScored(known.get(index))).length;
  useEffect(() => {
    if (order !== 'layer') for (const { index } of layers) want(index);
  }, [order, layers]);
  if (order === 'layer') {
    const most = Math.max(...layers.map(({ heads }) => heads));
    return (
      <section class={most <= 8 ? 'heads few' : most <= 16 ? 'heads' : 'heads many'} aria-label="Heads by layer" onKeyDown={walk}>
        {layers.map((layer) => (
          <LayerRow key={layer.index} layer={layer} tokens={tokens} shown={shown} />
        ))}
      </section>
    );
  }
  return (
    <section class="heads by-score" aria-label={`Heads by ${order} score`} onKeyDown={walk}>
      {ranked(known, order).map(({ layer, head, score, of }) => (
        <Thumbnail
          key={`${layer}.${head}`}
          of={of}
          tokens={tokens}
          layer={layer}
          head={head}
          shown={shown}
          caption={`${layer}.${head}`}
          note={score.toFixed(2)}
        />
      ))}
      {missing > 0 && <p class="quiet" role="status">{`${layers.length - missing} of ${layers.length} layers computed`}</p>}
    </section>
  );
}

/** Goes from the focused head to the one beside, above or below it, wherever the lines of the grid break. */
function walk(event: KeyboardEvent & { readonly currentTarget: HTMLElement }): void {
  const heads = [...event.currentTarget.querySelectorAll<HTMLElement>('.head')];
  const at = heads.indexOf(document.activeElement as HTMLElement);
  const from = heads[at];
  if (!from) return;
  const to = target(event.key, heads, at, from);
  if (!to) return;
  event.preventDefault();
  to.click();
  to.focus();
}

function target(key: string, heads: readonly HTMLElement[], at: number, from: HTMLElement): HTMLElement | undefined {
  if (key === 'ArrowLeft') return heads[at - 1];
  if (key === 'ArrowRight') return heads[at + 1];
  if (key === 'Home') return heads[0];
  if (key === 'End') return heads.at(-1);
  if (key !== 'ArrowUp' && key !== 'ArrowDown') return undefined;
  const { left, top } = from.getBoundingClientRect();
  const sign = key === 'ArrowDown' ? 1 : -1;
  const away = (head: HTMLElement) => {
    const box = head.getBoundingClientRect();
    return { head, down: sign * (box.top - top), aside: Math.abs(box.left - left) };
  };
  return heads
    .map(away)
    .filter(({ down }) => down > 1)
    .sort((a, b) => a.down - b.down || a.aside - b.aside)[0]?.head;
}

/** Asks for its heads when it comes on screen. */
function LayerRow({ layer, tokens, shown }: { readonly layer: LayerSummary; readonly tokens: number; readonly shown: Head }) {
  const { index, heads, kvHeads } = layer;
  const row = useRef<HTMLDivElement>(null);
  const state = overview.value.get(index);
  useEffect(() => {
    if (!row.current || state) return;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) want(index);
    });
    observer.observe(row.current);
    return () => observer.disconnect();
  }, [index, state]);
  const value = state?.state === 'ready' ? state.value : null;
  const shared = heads / kvHeads;
  return (
    <div ref={row} class="heads-row">
      <span class="heads-layer" title={`Layer ${index}: ${heads} heads, ${kvHeads} key-value heads`}>
        {index}
      </span>
      {Array.from({ length: kvHeads }, (_, group) => (
        <span
          key={group}
          class={shared > 1 ? 'heads-group shared' : 'heads-group'}
          title={shared > 1 ? `Key-value head ${group}` : undefined}
        >
          {Array.from({ length: shared }, (_, n) => (
            <Thumbnail key={n} tokens={tokens} of={value} layer={index} head={group * shared + n} shown={shown} />
          ))}
        </span>
      ))}
      {state?.state === 'loading' && (
        <span class="quiet" role="status">
          computing
        </span>
      )}
      {state?.state === 'failed' && (
        <button type="button" class="link" title={`${state.error.message} ${state.error.hint}`} onClick={state.retry}>
          {state.error.code}: try again
        </button>
      )}
    </div>
  );
}

interface ThumbnailProps {
  /** Null while it is computed. */
  readonly of: AttentionThumbnails | null;
  readonly tokens: number;
  readonly layer: number;
  readonly head: number;
  readonly shown: Head;
  readonly caption?: string;
  readonly note?: string;
}

function Thumbnail({ of, tokens, layer, head, shown, caption, note }: ThumbnailProps) {
  const chosen = shown.layer === layer && shown.head === head;
  const canvas = useCanvas((context, width, height) => of && drawThumbnail(context, of, head, tokens, width, height));
  const scores = of?.scores?.[head];
  const said = scores
    ? `Head ${layer}.${head}: induction ${scores.induction.toFixed(2)}, previous token ${scores.previous.toFixed(2)}, first token ${scores.sink.toFixed(2)}, entropy ${scores.entropy.toFixed(1)} bits`
    : `Head ${layer}.${head}`;
  return (
    <button
      type="button"
      class={chosen ? 'head chosen' : 'head'}
      aria-label={said}
      aria-pressed={chosen}
      tabIndex={chosen ? 0 : -1}
      title={said}
      onClick={() => select({ layer, head })}
    >
      <canvas ref={canvas} />
      {caption && (
        <span class="head-caption">
          {caption} <span class="quiet">{note}</span>
        </span>
      )}
    </button>
  );
}

/** Square roots of the weights, so that faint patterns are seen at this size. */
function drawThumbnail(
  context: CanvasRenderingContext2D,
  of: AttentionThumbnails,
  head: number,
  tokens: number,
  width: number,
  height: number,
): void {
  const size = of.thumbnails.shape[1] ?? 0;
  if (size === 0) return;
  const colours = table('sequential', ground.value);
  const pixels = new ImageData(size, size);
  const from = head * size * size;
  const cellOf = (pixel: number) => Math.floor((pixel * Math.min(size, tokens)) / size);
  for (let i = 0; i < size * size; i++) {
    // Above the diagonal of a causal head there is nothing.
    if (of.causal && cellOf(i % size) > cellOf(Math.floor(i / size))) continue;
    const colour = 4 * Math.round(Math.sqrt((of.thumbnails.data[from + i] ?? 0) / 255) * 255);
    for (let channel = 0; channel < 4; channel++) pixels.data[4 * i + channel] = colours[colour + channel] ?? 0;
  }
  const small = new OffscreenCanvas(size, size);
  small.getContext('2d')?.putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = width * devicePixelRatio < size;
  context.drawImage(small, 0, 0, width, height);
}
