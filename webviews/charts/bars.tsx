import { useRef } from 'preact/hooks';
import './bars.css';

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** The value as shown. */
  readonly text: string;
  /** Further facts, as a tooltip and for screen readers. */
  readonly title?: string;
}

export interface BarsProps {
  readonly bars: readonly Bar[];
  readonly label: string;
  /** Length of the longest possible bar; by default the largest magnitude. */
  readonly full?: number;
  readonly selected?: number | null;
  onSelect?(index: number): void;
}

/** Horizontal bars with names and numbers: is its own table. Negative values go left of a common zero. */
export function Bars({ bars, label, full, selected = null, onSelect }: BarsProps) {
  const ref = useRef<HTMLDivElement>(null);
  const least = bars.reduce((low, { value }) => Math.min(low, finite(value)), 0);
  const most = full ?? bars.reduce((high, { value }) => Math.max(high, finite(value)), 0);
  const span = most - least || 1;
  const zero = (-least / span) * 100;
  const onKeyDown = (event: KeyboardEvent) => {
    const last = bars.length - 1;
    const from = selected ?? 0;
    const steps: Record<string, number> = {
      ArrowDown: from + 1,
      ArrowUp: from - 1,
      Home: 0,
      End: last,
      PageDown: from + 10,
      PageUp: from - 10,
    };
    const to = steps[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const index = Math.max(0, Math.min(last, to));
    onSelect?.(index);
    (ref.current?.children[index] as HTMLElement | undefined)?.focus();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a frame
    <div ref={ref} class="bars" role="group" aria-label={label} onKeyDown={onKeyDown}>
      {bars.map(({ label: name, value, text, title }, index) => (
        <button
          key={name}
          type="button"
          class="bar"
          aria-pressed={index === selected}
          tabIndex={index === (selected ?? 0) ? 0 : -1}
          title={title}
          onClick={() => onSelect?.(index)}
        >
          <span>{name}</span>
          <span class="bar-track">
            <i
              style={{
                left: `${value < 0 ? zero + (finite(value) / span) * 100 : zero}%`,
                width: `${(Math.abs(finite(value)) / span) * 100}%`,
                background: 'var(--vscode-charts-blue)',
              }}
            />
          </span>
          <span class="bar-value">{text}</span>
        </button>
      ))}
    </div>
  );
}

const finite = (value: number): number => (Number.isFinite(value) ? value : 0);
