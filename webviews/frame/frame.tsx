import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import './frame.css';
import { ProvenanceLine, type ProvenanceProps } from './provenance.js';

interface FrameProps extends ProvenanceProps {
  /** In words: what the person sees, e.g. "What head 5.3 reads when it writes token 17". */
  readonly title: string;
  /** One line of controls. */
  readonly controls?: ComponentChildren;
  /** The value under the cursor, for screen readers. */
  readonly live?: string;
  /** Keys of the whole view (see `keys.ts`); those typed into a field do not arrive here. */
  readonly onKey?: (event: KeyboardEvent) => void;
  readonly children: ComponentChildren;
}

/** The page of every inspector: title, one line of controls, picture, provenance. */
export function Frame({ title, controls, provenance, identity = null, command = null, live = '', onKey, children }: FrameProps) {
  useWindowKeys(onKey);
  return (
    <main class="frame">
      <header class="frame-head">
        <h1 class="frame-title">{title}</h1>
        {controls && (
          <div class="frame-controls" role="toolbar" aria-label="View">
            {controls}
          </div>
        )}
      </header>
      <div class="frame-body">{children}</div>
      <ProvenanceLine provenance={provenance} identity={identity} command={command} />
      <Live text={live} />
    </main>
  );
}

/** Polite live region: says what the cursor is on. */
export const Live = ({ text }: { readonly text: string }) => (
  <div class="visually-hidden" role="status" aria-live="polite">
    {text}
  </div>
);

const FIELDS = 'input, textarea, select, vscode-text-field, vscode-text-area, vscode-dropdown, [contenteditable]';

/** Keys pressed anywhere in the view except in a field. */
export function useWindowKeys(onKey: ((event: KeyboardEvent) => void) | undefined): void {
  const handler = useRef(onKey);
  handler.current = onKey;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || (event.target instanceof Element && event.target.closest(FIELDS))) return;
      handler.current?.(event);
    };
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, []);
}
