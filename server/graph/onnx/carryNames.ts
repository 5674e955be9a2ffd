import type { OnnxDocument } from './document.js';
import { scopeOf } from './scopes.js';

interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Short names for values that skip parts: that of an input, the last module of the maker, or its operator. The same for what like blocks hand on to each
 * other; two that are on their way at once get a number.
 */
export function carryNames(document: OnnxDocument, crossing: ReadonlyMap<string, Span>): Map<string, string> {
  const names = new Map<string, string>();
  const taken = new Map<string, Span[]>();
  for (const [value, span] of crossing) {
    const origin = document.origins.get(value);
    const base = origin?.kind === 'node' ? ofNode(document, origin.node) : value;
    for (let n = 1; ; n++) {
      const name = n === 1 ? base : `${base} ${n}`;
      const others = taken.get(name) ?? [];
      // one that ends where another begins is another block's
      if (others.some(({ from, to }) => span.from < to && from < span.to) || others.some(({ from }) => from === span.from))
        continue;
      taken.set(name, [...others, span]);
      names.set(value, name);
      break;
    }
  }
  return names;
}

function ofNode(document: OnnxDocument, index: number): string {
  const node = document.graph.node[index];
  const module = node && scopeOf(node).at(-1);
  return module && !/\d$/.test(module) ? `${module}.${node.opType}` : (node?.opType ?? '').toLowerCase();
}
