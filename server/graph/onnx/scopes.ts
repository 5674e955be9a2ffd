import type { NodeProto } from '../onnx_pb.js';
import type { Place } from '../places.js';

/** Modules a node belongs to, outermost first, where its exporter wrote them into its name (`/model/layers.0/mlp/MatMul`) or its metadata. */
export function scopeOf({ name, metadataProps }: NodeProto): string[] {
  const scopes = metadataProps.find(({ key }) => key === 'pkg.torch.onnx.name_scopes')?.value;
  const listed = scopes?.match(/'([^']*)'/g)?.map((quoted) => quoted.slice(1, -1));
  if (listed) return (listed.at(-2) ?? '').split('.').filter((part) => part !== '');
  return name.startsWith('/') ? name.split('/').slice(1, -1) : [];
}

/** Of the nodes that have a scope at all, so many must share a module for it to be left out of what is told of a part. */
const SHARED = 0.7;

/**
 * Modules and steps of the nodes of one part: the scopes that the exporter wrote, without those that most of the part shares, and within a module that
 * has others inside the steps that the names of its values make (`steps`). Without scopes, the steps alone.
 */
export function placesByScope(nodes: readonly NodeProto[], steps: readonly Place[]): Place[] {
  const scopes = nodes.map(scopeOf);
  const told = scopes.filter((scope) => scope.length > 0);
  if (told.length * 2 < nodes.length) return steps.map(unported);
  const shared = sharedScope(told);
  const own = scopes.map((scope) => (shared.every((part, i) => scope[i] === part) ? scope.slice(shared.length) : scope));
  const inner = new Set(own.flatMap((scope) => scope.slice(0, -1).map((_, i) => scope.slice(0, i + 1).join('/'))));
  // a step is where the value is made that it is named after: what only leads there from another module has no name
  const last = new Map(steps.map(({ step }, i) => [step, own[i]?.join('/')]));
  return own.map((modules, i) => {
    const { step, probe } = steps[i] as Place;
    const path = modules.join('/');
    const isStep = (modules.length === 0 || inner.has(path)) && last.get(step) === path;
    return isStep ? { ...unported({ modules, step, probe }), modules } : { modules, step: null, probe: null };
  });
}

/** The outermost modules that most of them have in common, down to the first that has operators of its own. */
function sharedScope(scopes: readonly (readonly string[])[]): readonly string[] {
  const shared: string[] = [];
  for (let at = scopes; ; ) {
    const counts = new Map<string, number>();
    for (const { [shared.length]: module } of at) if (module !== undefined) counts.set(module, (counts.get(module) ?? 0) + 1);
    const [most] = [...counts].sort(([, a], [, b]) => b - a);
    if (!most || most[1] < SHARED * scopes.length || at.some(({ length }) => length === shared.length)) return shared;
    at = at.filter(({ [shared.length]: module }) => module === most[0]);
    shared.push(most[0]);
  }
}

/** What leaves for another part is named like any step. */
const unported = ({ modules, step, probe }: Place): Place => ({
  modules: modules.filter((module) => module !== 'carry' && module !== 'sizes'),
  step: step?.replace(/^(carry|sizes)\./, '') ?? null,
  probe,
});
