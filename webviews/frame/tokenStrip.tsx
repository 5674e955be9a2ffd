import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { TokenInfo } from '../../server/protocol/runs.js';
import { axis, axisPixels, fitAll, reveal, tokenAt, tokensOnScreen, zoomBy } from './axis.js';
import { movedToken, searchTokens } from './keys.js';
import { activePicture, type Picture } from './picture.js';
import { hover, select, selection } from './selection.js';
import { drawStrip, stripHeight } from './stripDrawing.js';
import { TokenSearch, useSearchKey } from './tokenSearch.js';
import { spokenToken, type TokenColour } from './tokenText.js';
import { useCanvas } from './useCanvas.js';

export interface TokenStripProps {
  /** Every token of the run, in order. */
  readonly tokens: readonly TokenInfo[];
  /** What the strip is the axis of, for screen readers: "Keys", "Positions in the cache". */
  readonly label: string;
  readonly colour?: TokenColour;
  /** Shared selection by default. */
  readonly selected?: number | null;
  readonly onSelect?: (token: number) => void;
  /** Drawn on the same axis right over the strip. */
  readonly above?: ComponentChildren;
  /** Whose patches the tokens are; that of the selected run by default. */
  readonly picture?: Picture | null;
}

const NONE: ReadonlySet<number> = new Set();

/** The ruler of every inspector: one cell a token on the shared axis; hover is preview, click is selection. */
export function TokenStrip({
  tokens,
  label,
  colour = 'surprisal',
  selected = selection.value.token,
  onSelect = selectToken,
  above = null,
  picture = activePicture.value,
}: TokenStripProps) {
  const count = tokens.length;
  const at = axis.value;
  const query = useSignal<string | null>(null);
  const found = useMemo(() => searchTokens(tokens, query.value ?? ''), [tokens, query.value]);
  const marked = useMemo(() => (found.length ? new Set(found) : NONE), [found]);
  const boundary = useMemo(() => tokens.findIndex((token) => token.role === 'generated'), [tokens]);
  const scroller = useScroller(count);
  const canvas = useCanvas((context, width, height) => {
    drawStrip(context, width, height, {
      tokens,
      axis: at,
      range: tokensOnScreen(count, at),
      colour,
      selected,
      hovered: hover.value,
      marked,
      boundary,
      picture,
    });
  });

  useEffect(() => {
    if (selected !== null && selected < count) reveal(selected, count);
  }, [selected, count, axisPixels.value === 0]);

  useSearchKey(query);
  const go = (token: number) => {
    hover.value = null;
    onSelect(token);
    reveal(token, count);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.floor(axisPixels.value / at.width) - 1);
    const moved = movedToken(event, tokens, selected ?? 0, page);
    if (moved !== null) go(moved);
    else if (event.key === '+' || event.key === '=') zoomBy(1.5, axisPixels.value / 2, count);
    else if (event.key === '-') zoomBy(1 / 1.5, axisPixels.value / 2, count);
    else if (event.key === '0') fitAll(count);
    else if (event.key === 'Escape' && hover.value !== null) hover.value = null;
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const under = (event: MouseEvent) => tokenAt(event.clientX - (canvas.current?.getBoundingClientRect().left ?? 0), count);
  const current = selected === null ? undefined : tokens[selected];
  return (
    <div class="strip">
      {query.value !== null && <TokenSearch query={query} found={found} current={selected} go={go} />}
      {above}
      <div
        class="strip-scroll"
        ref={scroller}
        role="slider"
        tabIndex={0}
        aria-label={`${label}: ${count} tokens`}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, count - 1)}
        aria-valuenow={selected ?? 0}
        aria-valuetext={current ? spokenToken(current) : 'no token selected'}
        onKeyDown={onKeyDown}
        onMouseMove={(event) => {
          hover.value = under(event);
        }}
        onMouseLeave={() => {
          hover.value = null;
        }}
        onClick={(event) => {
          const token = under(event);
          if (token !== null) onSelect(token);
        }}
      >
        <canvas ref={canvas} class="strip-canvas" style={{ height: `${stripHeight(at.width)}px` }} />
        <div class="strip-extent" style={{ width: `${count * at.width}px` }} />
      </div>
    </div>
  );
}

const selectToken = (token: number): void => select({ token });

/** Native scrolling (touch, inertia, scrollbar) in both directions between the element and the axis; Ctrl+wheel zooms. */
function useScroller(count: number) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      axisPixels.value = element.clientWidth;
    });
    const onScroll = () => {
      const { first, width } = axis.value;
      if (Math.abs(element.scrollLeft - first * width) > 1) axis.value = { first: element.scrollLeft / width, width };
    };
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoomBy(Math.exp(-event.deltaY / 200), event.clientX - element.getBoundingClientRect().left, count);
    };
    observer.observe(element);
    element.addEventListener('scroll', onScroll);
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', onScroll);
      element.removeEventListener('wheel', onWheel);
    };
  }, [count]);
  const { first, width } = axis.value;
  useLayoutEffect(() => {
    if (ref.current && Math.abs(ref.current.scrollLeft - first * width) > 1) ref.current.scrollLeft = first * width;
  }, [first, width]);
  return ref;
}
