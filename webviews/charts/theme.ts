import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { type Ground, NOT_FINITE, signs } from './palette.js';

/** VS Code writes the kind of theme on the body and its colours into CSS variables; canvases must read both. */
const classes = (): string => `${document.body.className} ${document.documentElement.getAttribute('style') ?? ''}`;

const seen: Signal<string> = signal(classes());
const observer = new MutationObserver(() => {
  seen.value = classes();
});
observer.observe(document.body, { attributes: true, attributeFilter: ['class'] });
observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });

export const ground: ReadonlySignal<Ground> = computed(() =>
  /vscode-light|vscode-high-contrast-light/.test(seen.value) ? 'light' : 'dark',
);
export const highContrast: ReadonlySignal<boolean> = computed(() => /vscode-high-contrast/.test(seen.value));

/** What canvases draw with apart from data. Follows the theme. */
export const ink = computed(() => {
  void seen.value;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string, otherwise: string) => style.getPropertyValue(name).trim() || otherwise;
  const dark = ground.value === 'dark';
  const family = colour('--vscode-font-family', 'sans-serif');
  return {
    text: colour('--vscode-foreground', dark ? '#cccccc' : '#3b3b3b'),
    /** Text on the strongest fills of tokens. */
    onFill: dark ? '#ffffff' : colour('--vscode-foreground', '#3b3b3b'),
    quiet: colour('--vscode-descriptionForeground', dark ? '#9d9d9d' : '#616161'),
    paper: colour('--vscode-editor-background', dark ? '#1f1f1f' : '#ffffff'),
    line: colour('--vscode-editorWidget-border', dark ? '#454545' : '#c8c8c8'),
    focus: colour('--vscode-focusBorder', dark ? '#0078d4' : '#005fb8'),
    series: [
      colour('--vscode-charts-blue', '#3794ff'),
      // The editor's own orange is a highlight in some themes, too dark for a line.
      dark ? '#e59a4a' : '#b85a00',
      colour('--vscode-charts-green', '#89d185'),
      colour('--vscode-charts-purple', '#b180d7'),
      colour('--vscode-charts-red', '#f14c4c'),
      colour('--vscode-charts-yellow', '#cca700'),
    ],
    /** Of signed values that are drawn as marks: what their colours are in a heat map. */
    signs: signs(ground.value),
    notFinite: `rgb(${NOT_FINITE[ground.value].join(' ')})`,
    family,
    small: `11px ${family}`,
  };
});
