import { highContrast, ink } from '../charts/theme.js';
import type { GraphInk } from './drawing.js';

/** What the theme gives a graph to draw with. */
export const graphInk = (): GraphInk => {
  const { text, quiet, paper, line, focus, series } = ink.value;
  const [blue = text, orange = text, green = text, purple = text] = series;
  return {
    text,
    quiet: highContrast.value ? text : quiet,
    paper,
    line: highContrast.value ? text : line,
    focus,
    tones: { weights: blue, state: green, control: purple, moves: line, computes: orange },
  };
};
