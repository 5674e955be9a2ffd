import { fitted, zoomed } from './camera.js';
import { asTable, camera, query, sizesShown } from './navigation.js';
import type { GraphState } from './useGraph.js';
import { childrenOf, type Direction, stepFrom } from './walk.js';

const ARROWS: Readonly<Record<string, Direction>> = {
  ArrowUp: 'up',
  ArrowDown: 'down',
  ArrowLeft: 'left',
  ArrowRight: 'right',
};

const stageSize = () => {
  const stage = document.querySelector('.graph-stage');
  return { width: stage?.clientWidth ?? 600, height: stage?.clientHeight ?? 400 };
};

/** Keys of the whole view; a table takes its own. */
export const keysOf =
  (state: Omit<GraphState, 'keys'>) =>
  (event: KeyboardEvent): boolean => {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const { key } = event;
    if (key === '/') query.value = '';
    else if (key === 't') asTable.value = !asTable.value;
    else if (key === 'i') sizesShown.value = !sizesShown.value;
    else if (key === 'c') state.closeAll();
    else if (key === '0') state.showAll();
    else if (key === '+' || key === '=' || key === '-') zoom(state, key === '-' ? 1 / 1.25 : 1.25);
    else if (key === '[' || key === ']') return toBlock(state, key === ']' ? 1 : -1);
    else if (event.target instanceof Element && event.target.closest('button, vscode-button, table')) return false;
    else if (key === 'Enter' || key === ' ') return toggle(state);
    else if (key === 'e') return everything(state);
    else if (key === 'Escape') return out(state);
    else if (key === 'Home' || key === 'End') return toEnd(state, key === 'End');
    else if (ARROWS[key]) return walk(state, ARROWS[key]);
    else return false;
    return true;
  };

function zoom({ root }: Pick<GraphState, 'root'>, factor: number): void {
  const screen = stageSize();
  const now = camera.value ?? fitted({ x: 0, y: 0, ...root }, screen);
  camera.value = zoomed(now, factor, { x: screen.width / 2, y: screen.height / 2 });
}

function walk({ root, selected, select }: Omit<GraphState, 'keys'>, direction: Direction): boolean {
  if (!selected) return toEnd({ root, select }, false);
  const next = stepFrom(root, selected, direction);
  if (next) select(next.id);
  return true;
}

function toEnd({ root, select }: Pick<GraphState, 'root' | 'select'>, last: boolean): boolean {
  const children = childrenOf(root, { id: root.id, box: root, x: 0, y: 0, around: [] });
  const end = children.toSorted((a, b) => a.y - b.y).at(last ? -1 : 0);
  if (end) select(end.id);
  return true;
}

function toggle({ selected, toggle: turn }: Omit<GraphState, 'keys'>): boolean {
  if (!selected?.box.expandable) return false;
  turn(selected.id);
  return true;
}

function everything({ selected, toggleDeep }: Omit<GraphState, 'keys'>): boolean {
  if (!selected?.box.expandable) return false;
  toggleDeep(selected.id);
  return true;
}

/** First out of the box, then out of the selection. */
function out({ selected, parent, select, root }: Omit<GraphState, 'keys'>): boolean {
  const outer = selected && parent(selected.id);
  if (!outer || outer === root.id) return false;
  select(outer);
  return true;
}

function toBlock({ outline, selected, part, jump }: Omit<GraphState, 'keys'>, by: number): boolean {
  const blocks = outline.parts.filter(({ part: which }) => typeof which === 'number');
  const now = selected && part(selected.id);
  const at = now ? blocks.indexOf(now) : -1;
  const next = blocks[at < 0 ? 0 : at + by];
  if (!next) return true;
  const id = `${next.tower === '' ? '' : `${next.tower}.`}b${next.part}`;
  jump(selected && now && at >= 0 && selected.id.startsWith(`${idOf(now)}/`) ? id + selected.id.slice(idOf(now).length) : id);
  return true;
}

const idOf = ({ tower, part }: { readonly tower: string; readonly part: unknown }): string =>
  `${tower === '' ? '' : `${tower}.`}b${part}`;

const KEYS = [
  ['↑ ↓ ← →', 'along the edges'],
  ['Enter', 'open or close'],
  ['e', 'with all in it'],
  ['Esc', 'out'],
  ['[ ]', 'the same in the next block'],
  ['/', 'search'],
  ['t', 'table'],
  ['i', 'sizes'],
  ['+ − 0', 'zoom'],
] as const;

export const GraphKeys = () => (
  <p class="graph-keys">
    {KEYS.map(([key, what]) => (
      <span key={key}>
        <kbd>{key}</kbd> {what}
      </span>
    ))}
  </p>
);
