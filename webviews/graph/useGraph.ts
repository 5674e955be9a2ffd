import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { GraphOutline, OutlinePart } from '../../server/protocol/graph.js';
import type { RunDetail, RunStatus } from '../../server/protocol/runs.js';
import { compact } from '../charts/numbers.js';
import { ink } from '../charts/theme.js';
import { shownValue } from '../frame/loadable.js';
import type { Command } from '../frame/provenance.js';
import { activeModel, activeRun, selection, select as selectShared } from '../frame/selection.js';
import { useRequest } from '../frame/useRequest.js';
import type { Drawn, Found } from './drawn.js';
import { endLabels } from './ends.js';
import { keysOf } from './keys.js';
import { camera, chosen, opened, partsOfId, query, sizesShown } from './navigation.js';
import { Norms, namedProbe } from './norms.js';
import { measurer } from './pen.js';
import { type BlockRun, blockRuns } from './runs.js';
import { runId, sceneOf, segmentId } from './scene.js';
import { searchGraph } from './search.js';
import { type Live, Segments } from './segments.js';
import { resultOf } from './text.js';
import { type Item, isBranch, type Tree, treeOf } from './tree.js';
import { useLayouts } from './useLayouts.js';
import { shownBox } from './walk.js';

/** A run of this model and the token that is looked at; 0 where it has none. */
export interface At {
  readonly run: string;
  readonly token: number;
  /** `at token 7`; of tensors that hold no tokens a value is that of the whole run. */
  readonly where: string;
  readonly detail: RunDetail;
  /** Of a model of several stacks the one that the run went through, else empty. */
  readonly tower: string;
}

export interface GraphState {
  readonly outline: GraphOutline;
  readonly segments: Segments;
  readonly runs: readonly BlockRun[];
  readonly root: Drawn;
  readonly selected: Found | null;
  /** What the search found. */
  readonly found: readonly string[];
  readonly at: At | null;
  readonly command: Command | null;
  part(id: string): OutlinePart | null;
  tree(part: OutlinePart): Tree | null;
  item(id: string): { readonly part: OutlinePart; readonly item: Item } | null;
  note(part: OutlinePart): string | null;
  norm(segment: string, value: number): number | null;
  /** Id of the box around one, whether it is drawn or not. */
  parent(id: string): string | null;
  select(id: string): void;
  toggle(id: string): void;
  /** A box with everything in it. */
  toggleDeep(id: string): void;
  /** Opens what is around it and goes there. */
  jump(id: string): void;
  closeAll(): void;
  showAll(): void;
  onSight(segments: readonly string[]): void;
  /** True when the key meant something. */
  keys(event: KeyboardEvent): boolean;
}

const GOING: ReadonlySet<RunStatus> = new Set(['queued', 'prefill', 'decode']);

/** Blocks that are shown at once without being asked for. */
const FEW = 12;

export function useGraph(path: string, outline: GraphOutline): GraphState {
  const segments = useMemo(() => new Segments(path), [path]);
  const parts = useMemo(() => new Map(outline.parts.map((part) => [segmentId(part), part])), [outline]);
  const runs = useMemo(() => runsOf(outline), [outline]);
  const at = useAt(path);
  const token = at?.token ?? null;
  segments.live = liveOf(at);
  const flow = shownValue(useRequest('graph/flow', at && { run: at.run, token: at.token }, 60));
  const measured = useNorms(at);
  const note = (part: OutlinePart): string | null => {
    if (at === null || at.tower !== part.tower || typeof part.part !== 'number') return null;
    const [before, after] = [flow?.norms.data[part.part], flow?.norms.data[part.part + 1]];
    return before === undefined || after === undefined ? '‖…‖ → ‖…‖' : `‖${compact(before)}‖ → ‖${compact(after)}‖`;
  };
  const trees = new Map<string, Tree>();
  const tree = (part: OutlinePart): Tree | null => {
    const graph = segments.known(part);
    const id = segmentId(part);
    if (graph && !trees.has(id)) trees.set(id, treeOf(graph, id, sizesShown.value));
    return trees.get(id) ?? null;
  };
  const part = (id: string) => parts.get(partsOfId(id)[0]) ?? null;
  const parent = (id: string): string | null => parentOf(id, part(id), tree, runs);
  const isOpen = useOpen(outline, runs, parent);
  const norms = at !== null && at.detail.tokens > 0;
  const layout = useLayouts(segments, isOpen, norms);
  const measure = useMeasure();
  const root = sceneOf(outline, {
    open: isOpen,
    norms,
    measure,
    segment: (part) => segments.get(part),
    inner: (part, graph, id) => layout(part, graph, id, measure),
    note,
    ends: endLabels(at?.detail ?? null, token ?? 0),
  });
  const selected = chosen.value === null ? null : shownBox(root, chosen.value, parent);
  const item = (id: string) => {
    const owner = part(id);
    const found = owner && partsOfId(id)[1] !== '' ? tree(owner)?.items.get(id) : null;
    return owner && found ? { part: owner, item: found } : null;
  };
  const actions = navigation({ isOpen, parent, part, openByDefault: isOpen.byDefault });
  const state = {
    outline,
    segments,
    runs,
    root,
    selected,
    found: query.value === null ? [] : searchGraph(outline, segments, selection.value.layer, query.value, sizesShown.value),
    at,
    part,
    tree,
    item,
    note,
    norm: measured?.known ?? (() => null),
    parent,
    ...actions,
    command: commandOf(path, at, selected, item, segments),
    onSight: (ids: readonly string[]) => {
      for (const id of ids) {
        const owner = parts.get(id);
        const graph = owner && segments.known(owner);
        if (owner && graph && owner.tower === at?.tower) measured?.ask(owner, graph);
      }
    },
  };
  return { ...state, keys: keysOf(state) };
}

const runsOf = ({ parts }: GraphOutline): BlockRun[] =>
  [...new Set(parts.map(({ tower }) => tower))].flatMap((tower) =>
    blockRuns(parts.filter((part) => part.tower === tower && typeof part.part === 'number')),
  );

function useMeasure(): ReturnType<typeof measurer> {
  const { family } = ink.value;
  return useMemo(() => measurer(family), [family]);
}

/** Sizes change with every token while a run goes on: until then they stay symbolic. */
const liveOf = (at: At | null): Live | null =>
  at !== null && at.detail.tokens > 0 && !GOING.has(at.detail.status) ? { tower: at.tower, tokens: at.detail.tokens } : null;

/** The active run, when it is one of this model. */
function useAt(path: string): At | null {
  const detail = shownValue(activeRun.value);
  const model = activeModel.value;
  if (!detail || model?.path !== path) return null;
  if (detail.tokens === 0)
    return model.generates || detail.status !== 'done'
      ? null
      : { run: detail.id, token: 0, where: 'in this run', detail, tower: detail.tower ?? '' };
  const token = Math.min(detail.tokens - 1, selection.value.token ?? detail.tokens - 1);
  return { run: detail.id, token, where: `at token ${token}`, detail, tower: detail.tower ?? '' };
}

/** What was known of another token is dropped, and no longer asked for. */
function useNorms(at: At | null): Norms | null {
  const [run, token] = [at?.run, at?.token];
  const made = useRef<{ norms: Norms; controller: AbortController } | null>(null);
  const norms = useMemo(() => {
    made.current?.controller.abort();
    made.current = null;
    if (run === undefined || token === undefined) return null;
    const controller = new AbortController();
    const fresh = new Norms(run, token, controller.signal);
    made.current = { norms: fresh, controller };
    return fresh;
  }, [run, token]);
  useEffect(() => () => made.current?.controller.abort(), []);
  return norms;
}

/**
 * Until a person chooses, the selected block is open, and the run of blocks around it when it has few. `id*` is a box that is open with
 * everything in it, `-id` one in it that was closed.
 */
function useOpen(outline: GraphOutline, runs: readonly BlockRun[], parent: (id: string) => string | null): Openness {
  const { layer } = selection.value;
  const blocks = outline.parts.filter(({ part }) => typeof part === 'number');
  const first = blocks.find(({ part }) => part === layer) ?? blocks[0];
  const around = first && runs.find(({ parts }) => parts.includes(first));
  const few = around !== undefined && around.parts.length <= FEW;
  const whole = outline.parts.filter(({ part }) => part === 'graph').map(segmentId);
  const byDefault = first && around && few ? [runId(around), segmentId(first)] : whole;
  const now = opened.value ?? byDefault;
  const open = useMemo(() => new Set(now), [now.join()]);
  const deep = now.some((id) => id.endsWith('*'));
  const within = (id: string): boolean => {
    for (let at: string | null = id; at !== null; at = parent(at)) if (open.has(`${at}*`)) return true;
    return false;
  };
  const isOpen = (id: string) => open.has(id) || (deep && !open.has(`-${id}`) && within(id));
  return Object.assign(isOpen, { byDefault });
}

type Openness = ((id: string) => boolean) & { readonly byDefault: readonly string[] };

function parentOf(
  id: string,
  part: OutlinePart | null,
  tree: (part: OutlinePart) => Tree | null,
  runs: readonly BlockRun[],
): string | null {
  if (id === 'model') return null;
  if (part && id !== segmentId(part)) return tree(part)?.parents.get(id)?.id ?? segmentId(part);
  const run = part && runs.find(({ parts }) => parts.length > 1 && parts.includes(part));
  return run ? runId(run) : 'model';
}

interface Navigated {
  readonly isOpen: (id: string) => boolean;
  readonly parent: (id: string) => string | null;
  readonly part: (id: string) => OutlinePart | null;
  readonly openByDefault: readonly string[];
}

function navigation({ isOpen, parent, part, openByDefault }: Navigated) {
  const openNow = () => opened.value ?? openByDefault;
  const select = (id: string) => {
    // what was open by itself stays so: the selected layer is about to change
    opened.value = openNow();
    chosen.value = id;
    const layer = part(id)?.part;
    if (typeof layer === 'number') selectShared({ layer });
  };
  return {
    select,
    toggle: (id: string) => {
      const others = openNow().filter((other) => other !== id && other !== `${id}*` && other !== `-${id}`);
      const deep = isOpen(id) && !openNow().includes(id) && !openNow().includes(`${id}*`);
      opened.value = isOpen(id) ? [...others, ...(deep ? [`-${id}`] : [])] : [...others, id];
    },
    toggleDeep: (id: string) => {
      const others = openNow().filter((other) => other !== id && other !== `-${id}`);
      opened.value = others.includes(`${id}*`) ? others.filter((other) => other !== `${id}*`) : [...others, `${id}*`];
    },
    jump: (id: string) => {
      const around: string[] = [];
      for (let at = parent(id); at !== null; at = parent(at)) around.push(at);
      opened.value = [...new Set([...openNow(), ...around])];
      select(id);
    },
    closeAll: () => {
      opened.value = [];
      camera.value = null;
    },
    showAll: () => {
      camera.value = null;
    },
  };
}

/** The value of what is selected as the command line reads it; without a run what `inspect` says of the graph. */
function commandOf(path: string, at: At | null, selected: Found | null, item: GraphState['item'], segments: Segments): Command {
  const found = selected && item(selected.id);
  const graph = found && segments.known(found.part);
  if (!found || !graph) {
    const part = selected && partsOfId(selected.id)[0];
    const wanted = part && /^(b\d+|embed|head|graph)$/.test(part) ? part.replace(/^b/, '') : 'outline';
    return { path, options: ['--graph', wanted] };
  }
  const value = isBranch(found.item)
    ? resultOf(found.item, graph)
    : found.item.kind === 'op'
      ? (graph.nodes[found.item.node]?.outputs[0] ?? null)
      : null;
  if (at === null || value === null) return { path, options: ['--graph', String(found.part.part)] };
  return { run: at.run, probes: [namedProbe(found.part, graph, value)] };
}
