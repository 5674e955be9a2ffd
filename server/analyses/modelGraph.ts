import type { Checkpoint } from '../formats/checkpoint.js';
import { LabError } from '../protocol/errors.js';
import type { GraphOutline, GraphPart, OutlinePart, SegmentGraph } from '../protocol/graph.js';
import type { Device } from '../runtime/device.js';
import { sizeOf } from '../tensor/tensor.js';
import { type About, describePart, type GraphSource, graphSource, type WantedSegment } from './graphSource.js';

const noPart = (tower: string, part: GraphPart) =>
  new LabError({
    code: 'PART_UNKNOWN',
    message: `There is no block ${tower === '' ? '' : `${tower} `}${part}.`,
    hint: 'Ask for the outline of the model first.',
  });

/** The segments of a model, those that are built alike with one structure. Builds graphs, reads no weights. Errors: those of graphSource. */
export async function graphOutline(checkpoint: Checkpoint, device: Device): Promise<GraphOutline> {
  const started = performance.now();
  const source = await graphSource(checkpoint, device);
  const known = new Map<string, number>();
  const parts = source.parts.map((part, index) => outlinePart(checkpoint, source, part, (built) => firstOf(known, built, index)));
  const ms = performance.now() - started;
  const provenance = { model: checkpoint.name, dtype: '', probe: `${parts.length} segments`, provider: source.from, ms };
  const { id: family, inferred } = source;
  return { name: checkpoint.name, family, ...(inferred && { inferred }), parts, provenance };
}

/** Every operator of one segment. Errors: those of graphSource, PART_UNKNOWN. */
export async function segmentGraph(
  checkpoint: Checkpoint,
  wanted: WantedSegment,
  about: About,
  device: Device,
): Promise<SegmentGraph> {
  const source = await graphSource(checkpoint, device);
  if (!source.parts.some(({ tower, part }) => tower === wanted.tower && part === wanted.part))
    throw noPart(wanted.tower, wanted.part);
  return describePart(checkpoint, source, source.graph(wanted), wanted, about);
}

/** The index under which a key was met first. */
function firstOf(known: Map<string, number>, key: string, index: number): number {
  const first = known.get(key) ?? index;
  known.set(key, first);
  return first;
}

function outlinePart(
  checkpoint: Checkpoint,
  source: GraphSource,
  { tower, part }: Pick<WantedSegment, 'tower' | 'part'>,
  structure: (built: string) => number,
): OutlinePart {
  const described = source.graph({ tower, part });
  const { graph } = described;
  const built = describePart(checkpoint, source, described, { tower, part, shown: 0 }, () => null);
  const entries = new Set([...graph.weights.values()].map(({ tensor }) => tensor));
  const bytes: Record<string, number> = {};
  let parameters = 0;
  for (const name of entries) {
    const entry = checkpoint.tensors.get(name);
    if (!entry) continue;
    parameters += sizeOf(entry.shape);
    bytes[entry.dtype] = (bytes[entry.dtype] ?? 0) + entry.bytes;
  }
  const given = built.values.flatMap(({ kind, of, role }) =>
    kind === 'input' && of === undefined && role !== null ? [role] : [],
  );
  const outside = (roles: readonly string[]) =>
    roles
      .filter((role) => !/^(resid(\.next)?|past)$|^(state|carry|sizes)\./.test(role))
      .map((role) => role.replace(/^given\./, ''));
  const left = [...graph.outputs.keys()];
  const carries = (roles: readonly string[]) => [
    ...new Set(roles.flatMap((role) => (role.startsWith('carry.') ? [role.slice('carry.'.length)] : []))),
  ];
  return {
    tower,
    part,
    structure: structure(spelled(built)),
    ...source.facts({ tower, part }),
    operators: graph.nodes.length,
    parameters,
    bytes,
    reads: outside(given),
    says: outside(left),
    carriesIn: carries(given),
    carriesOut: carries(left),
  };
}

/** How a segment is built, without what differs between like blocks: names, and the types and sizes of stored weights. */
const spelled = ({ values, nodes, groups, outputs }: SegmentGraph): string =>
  JSON.stringify([values.map(({ name, weight, ...value }) => [value, weight?.label]), nodes, groups, outputs]);
