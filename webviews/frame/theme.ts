import { type ReadonlySignal, signal } from '@preact/signals';

export type ThemeKind = 'dark' | 'light' | 'hc-dark' | 'hc-light';

const kindNow = (): ThemeKind => {
  const classes = document.body.classList;
  if (classes.contains('vscode-high-contrast-light')) return 'hc-light';
  if (classes.contains('vscode-high-contrast')) return 'hc-dark';
  return classes.contains('vscode-light') ? 'light' : 'dark';
};

const current = signal({ kind: kindNow() });
/** Canvases read this while they draw, so that they draw again when the person changes the theme. */
export const theme: ReadonlySignal<{ readonly kind: ThemeKind }> = current;

// VS Code swaps the body's class and the root's variables; both count, since two dark themes share a class.
const observer = new MutationObserver(() => {
  current.value = { kind: kindNow() };
});
observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-id'] });
observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });

/** Value of a VS Code colour, e.g. `editor-foreground`; canvases cannot use CSS variables. */
export function themeColour(name: string, fallback = 'currentcolor'): string {
  const style = getComputedStyle(document.documentElement);
  const value = style.getPropertyValue(`--vscode-${name}`).trim();
  return value || (fallback === 'currentcolor' ? getComputedStyle(document.body).color : fallback);
}

export const fontFamily = (): string => getComputedStyle(document.body).fontFamily;
export const prefersReducedMotion = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches;
