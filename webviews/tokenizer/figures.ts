import type { EditorDocument } from '../../server/protocol/host.js';
import type { MergeNode, TextCounts, WindowToken } from '../../server/protocol/tokens.js';

/** UTF-16 units of text shown at once. */
export const SPAN = 2400;

/** The stretch to show: the one shown before while it still holds what the person looks at, else a new one around that. */
export function stretchOf(
  { document, length, selection: [from, to], visible }: EditorDocument,
  before: { readonly document: string; readonly from: number } | null,
): number {
  const last = Math.max(0, length - 1);
  const start = before?.document === document ? Math.min(before.from, last) : null;
  const holds = (at: number) => start !== null && at >= start && at < start + SPAN;
  const inSight = from >= visible[0] && from <= visible[1];
  if (start !== null && holds(from) && (holds(to) || !inSight)) return start;
  // What is selected, with some text before it; a cursor that was left elsewhere does not count.
  if (inSight && from - visible[0] > SPAN / 2) return Math.max(0, from - SPAN / 4);
  if (inSight) return visible[0];
  return holds(visible[0]) && start !== null ? start : visible[0];
}

/** Tokens that the selection touches; for a cursor the one it stands in. */
export function touched(tokens: readonly WindowToken[], [from, to]: readonly [number, number]): readonly number[] {
  const touches = ({ start, end }: WindowToken) => (from === to ? start <= from && from < end : start < to && end > from);
  return tokens.flatMap((token, index) => (touches(token) ? [index] : []));
}

export interface Ratio {
  readonly name: string;
  readonly title: string;
  readonly value: number | null;
}

export function ratios(tokens: number, text: TextCounts): readonly Ratio[] {
  const per = (name: string, title: string, count: number): Ratio => ({
    name,
    title,
    value: count === 0 ? null : tokens / count,
  });
  return [
    per('per character', 'Tokens a Unicode character', text.characters),
    per('per word', 'Tokens a word, as Unicode bounds words', text.words),
    per('per byte', 'Tokens a UTF-8 byte', text.bytes),
  ];
}

/** Price of this many tokens, when a million of them costs `price`. */
export const cost = (tokens: number, price: number): number => (tokens / 1e6) * price;

/** Money without a currency: cents as two digits, less than a cent as it is. */
export const money = (value: number): string =>
  value === 0
    ? '0'
    : value >= 0.995
      ? value.toLocaleString('en', { maximumFractionDigits: 2 })
      : String(Number(value.toPrecision(2)));

/** A price as typed; undefined when it is none. An empty field is null: no price. */
export function parsePrice(text: string): number | null | undefined {
  if (text.trim() === '') return null;
  const value = Number(text.trim().replace(',', '.'));
  return Number.isFinite(value) && value >= 0 ? value : undefined;
}

export interface Step {
  readonly step: number;
  readonly rank: number;
  readonly left: MergeNode;
  readonly right: MergeNode;
  readonly made: MergeNode;
}

/** The merges of a tree in their order. */
export function stepsOf(tree: MergeNode): readonly Step[] {
  const steps: Step[] = [];
  const walk = (node: MergeNode) => {
    for (const part of node.parts) walk(part);
    const [left, right] = node.parts;
    if (node.step !== null && node.rank !== null && left && right)
      steps.push({ step: node.step, rank: node.rank, left, right, made: node });
  };
  walk(tree);
  return steps.sort((a, b) => a.step - b.step);
}

export interface Placed {
  readonly node: MergeNode;
  /** First symbol and number of symbols below it. */
  readonly from: number;
  readonly width: number;
  /** 0 is the whole token. */
  readonly depth: number;
}

/** Every node of a tree over the symbols it is made of. */
export function placeTree(tree: MergeNode): readonly Placed[] {
  const placed: Placed[] = [];
  const walk = (node: MergeNode, from: number, depth: number): number => {
    const slot = placed.push({ node, from, width: 1, depth }) - 1;
    let width = 0;
    for (const part of node.parts) width += walk(part, from + width, depth + 1);
    placed[slot] = { node, from, width: Math.max(1, width), depth };
    return Math.max(1, width);
  };
  walk(tree, 0, 0);
  return placed;
}
