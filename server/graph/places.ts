import { captures, type Graph, isGraph, type Node, type Value } from './ir.js';

/** Where an operator belongs: the modules around it, outermost first (none at the block's own level), and the step within them. */
export interface Place {
  readonly modules: readonly string[];
  readonly step: string | null;
  /** The probe that the step ends in; null when it serves several, or only state. */
  readonly probe: string | null;
}

const MOST_NAMED = 3;

/** Names a node reads, those that its bodies take from around them too. */
export const readsOf = (node: Node): string[] => [
  ...node.inputs.flatMap((value) => (value ? [value.name] : [])),
  ...Object.values(node.attributes).flatMap((attribute) => (isGraph(attribute) ? captures(attribute) : [])),
];

/**
 * Sorts the operators of a segment into modules and steps by the names that its values have: an operator belongs to the first named value
 * that it leads to. One that leads to several, e.g. a projection of q, k and v at once, makes a step that is named after its weight, or
 * after what it serves. Names without `blocks.i.`; `attn.q` is the step `attn.q` of the module `attn`.
 */
export function placesOf(graph: Graph, named: ReadonlyMap<string, Value>, scope: string): Place[] {
  const labels = labelsOf(graph, named, scope);
  const reached = reachedBy(graph, labels);
  const states = new Map(graph.nodes.flatMap((node, i) => stateReads(node, scope).map((state) => [state, i] as const)));
  const ownModule = (label: string): string | null => {
    if (!label.startsWith('state.')) return moduleOf(label);
    const reader = states.get(label.slice('state.'.length));
    const next = reader === undefined ? [] : [...(reached[reader] ?? [])].filter((l) => !l.startsWith('state.'));
    return common(next.map(moduleOf));
  };
  const names = sharedNames(graph, reached, scope);
  return graph.nodes.map((_, i) => {
    const goals = [...(reached[i] as ReadonlySet<string>)];
    const module = common(goals.map(ownModule));
    const modules = module === null ? [] : [module];
    if (goals.length !== 1) return { modules, step: names.get(goals.join()) as string, probe: null };
    const [step = 'rest'] = goals;
    return { modules, step, probe: named.has(scope + step) ? step : null };
  });
}

const moduleOf = (label: string): string | null => (label.includes('.') ? (label.split('.')[0] as string) : null);

/** What all of them are, null when they differ. */
const common = (modules: readonly (string | null)[]): string | null =>
  modules.length > 0 && modules.every((m) => m === modules[0]) ? (modules[0] as string | null) : null;

/** Label by value name: the first probe of a value, else the state, carry or output that it leaves as. */
function labelsOf(graph: Graph, named: ReadonlyMap<string, Value>, scope: string): Map<string, string> {
  const labels = new Map<string, string>();
  const add = (value: Value, label: string) => {
    if (!labels.has(value.name)) labels.set(value.name, label);
  };
  for (const [probe, value] of named) add(value, withoutScope(probe, scope));
  const read = new Set(graph.nodes.flatMap(readsOf));
  // what is handed on is also used here, and belongs to that
  const outputs = [...graph.outputs].filter(([name, value]) => !name.startsWith('carry.') || !read.has(value.name));
  for (const [name, value] of outputs) add(value, withoutScope(name, scope).replace(/^(state\..*)\.new$/, '$1'));
  return labels;
}

export const withoutScope = (name: string, scope: string): string => (name.startsWith(scope) ? name.slice(scope.length) : name);

/** For each node the labels of the named values that it leads to, none of them through another named value; in graph order. */
function reachedBy(graph: Graph, labels: ReadonlyMap<string, string>): ReadonlySet<string>[] {
  const order = new Map([...labels.values()].map((label, i) => [label, i]));
  const through = new Map<string, Set<string>>();
  const result = new Array<ReadonlySet<string>>(graph.nodes.length);
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i] as Node;
    const goals = new Set<string>();
    for (const { name } of node.outputs) {
      const label = labels.get(name);
      for (const goal of label === undefined ? (through.get(name) ?? []) : [label]) goals.add(goal);
    }
    const sorted = new Set([...forShow(goals)].sort((a, b) => (order.get(a) as number) - (order.get(b) as number)));
    result[i] = sorted;
    for (const name of readsOf(node)) {
      const known = through.get(name) ?? new Set();
      for (const goal of sorted) known.add(goal);
      through.set(name, known);
    }
  }
  return result;
}

/** What makes a value and keeps it as state is there for the value. */
function forShow(goals: ReadonlySet<string>): readonly string[] {
  const values = [...goals].filter((goal) => !goal.startsWith('state.'));
  return values.length > 0 ? values : [...goals];
}

function stateReads(node: Node, scope: string): string[] {
  return readsOf(node).flatMap((name) => /^state\.(.*)\.past$/.exec(withoutScope(name, scope))?.[1] ?? []);
}

/** A name for each set of labels that several nodes serve together. */
function sharedNames(graph: Graph, reached: readonly ReadonlySet<string>[], scope: string): Map<string, string> {
  const members = new Map<string, Node[]>();
  for (const [i, goals] of reached.entries()) {
    const key = [...goals].join();
    members.set(key, [...(members.get(key) ?? []), graph.nodes[i] as Node]);
  }
  return new Map([...members].map(([key, nodes]) => [key, nameOf(graph, nodes, key.split(','), scope)]));
}

/** The last part of a tensor's name that is not a number: `q_proj`, and of `w_lora.lora.0` the part before as well. */
function shortName(tensor: string): string {
  const parts = tensor.split('.');
  const words = parts.filter((part) => !/^\d+$/.test(part));
  return words.slice(words.at(-1) === parts.at(-1) ? -1 : -2).join('.');
}

function nameOf(graph: Graph, nodes: readonly Node[], goals: readonly string[], scope: string): string {
  const reads = nodes.flatMap(readsOf);
  const weights = reads.flatMap((name) => graph.weights.get(name)?.tensor.replace(/\.(weight|bias)$/, '') ?? []);
  const modules = [...new Set(weights.map(shortName))];
  const states = [...new Set(nodes.flatMap((node) => stateReads(node, scope)))];
  if (modules.length > 0 && modules.length <= MOST_NAMED) return modules.join(', ');
  if (states.length > 0) return states.join(', ');
  const short = goals.map((goal) => goal.split('.').at(-1) as string);
  return `for ${short.slice(0, MOST_NAMED).join(', ')}${short.length > MOST_NAMED ? ' …' : ''}`;
}
