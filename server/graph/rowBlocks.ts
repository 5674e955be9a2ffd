import { Builder } from './builder.js';
import { captures, type Dim, type Graph, isGraph, type Node, type Value } from './ir.js';

/** Operators that give each row of [B,T,…] from the same row of what they read. */
const BY_ROW = new Set(
  'Add Sub Mul Div Max Min Neg Exp Tanh Relu Sigmoid Softplus Gelu RMSNorm LayerNormalization MatMul Split'.split(' '),
);

/** What is computed row by row, and what of all that is not comes behind it. */
interface Stage {
  readonly group: Node[];
  readonly others: Node[];
}

/**
 * The same graph in which what is done row by row is done for about `rows` of them from the first step to the last, wherever that `pays` for the
 * matrices that they are multiplied by: so what passes between steps stays in a core's second cache.
 */
export function inRowBlocks(graph: Graph, rows: number, pays: (matrices: readonly Value[]) => boolean): Graph {
  const b = new Builder(graph.name, 'rows.');
  const stages = stagesOf(graph);
  let frame: Frame | null = null;
  for (const { group, others } of stages) {
    const matrices = group.flatMap(({ op, inputs }) => (op === 'MatMul' ? [inputs[1] as Value] : []));
    if (matrices.length > 0 && pays(matrices)) {
      const own = new Set(group);
      const outside = stages.flatMap((stage) => [...stage.group, ...stage.others]).filter((node) => !own.has(node));
      const read = new Set([...outside.flatMap(readsOf), ...[...graph.outputs.values()].map(({ name }) => name)]);
      frame ??= frameOf(b, group[0]?.inputs.find(isRows) as Value, rows);
      inBlocks(b, frame, group, ({ name }) => read.has(name));
    } else b.graph.nodes.push(...group);
    b.graph.nodes.push(...others);
  }
  return { ...graph, nodes: b.graph.nodes, constants: new Map([...graph.constants, ...b.graph.constants]) };
}

/** Nodes in as few stages as possible: a group reads what earlier groups gave, and what came behind them. */
function stagesOf(graph: Graph): readonly Stage[] {
  const stages: Stage[] = [];
  /** The stage behind whose group a value is known; within it already when it is of the group. */
  const known = new Map<string, { readonly stage: number; readonly grouped: boolean }>();
  for (const node of graph.nodes) {
    const grouped = isByRow(node);
    const stage = Math.max(
      0,
      ...readsOf(node).map((name) => {
        const at = known.get(name);
        return at ? at.stage + (grouped && !at.grouped ? 1 : 0) : Number(grouped);
      }),
    );
    while (stages.length <= stage) stages.push({ group: [], others: [] });
    stages[stage]?.[grouped ? 'group' : 'others'].push(node);
    for (const { name } of node.outputs) known.set(name, { stage, grouped });
  }
  return stages;
}

const readsOf = ({ inputs, attributes }: Node): string[] => [
  ...inputs.flatMap((value) => (value ? [value.name] : [])),
  ...Object.values(attributes).flatMap((body) => (isGraph(body) ? captures(body) : [])),
];

/** [B,T, …]. */
const isRows = (value: Value | null): value is Value =>
  value !== null && value.dtype === 'f32' && value.shape.length > 2 && value.shape[0] === 'B' && value.shape[1] === 'T';

function isByRow({ op, inputs, outputs, attributes }: Node): boolean {
  const rank = outputs[0]?.shape.length;
  const fixed = (value: Value) => value.shape.every((size) => typeof size === 'number');
  const fits = (value: Value | null) => value === null || fixed(value) || (isRows(value) && value.shape.length === rank);
  if (!BY_ROW.has(op) || !outputs.every(isRows) || !inputs.every(fits)) return false;
  if (op === 'Split') return (attributes.axis as number) > 1;
  return op !== 'MatMul' || inputs[1]?.shape.length === 2;
}

/** What all groups have in common. Rows are those of all sequences, R. */
interface Frame {
  /** Rows of a block, i64 [1]. */
  readonly size: Value;
  /** The first row of each block, i64 [n,1]: the last begins early, so that it is whole. */
  readonly starts: Value;
  /** For each row its place among those of all blocks, i64 [R]. */
  readonly places: Value;
  /** B and T, i64 [2]. */
  readonly sequences: Value;
}

/** Blocks of one size, of `rows` rows at most. */
function frameOf(b: Builder, x: Value, rows: number): Frame {
  const sequences = b.op('Shape', [x], [2], { end: 2 }, 'i64');
  const R = b.op('ReduceProd', [sequences], [1], { keepdims: 1 }); // [1]
  const up = (a: Value, by: Value | number) => b.div(b.sub(b.add(a, by), 1), by);
  const count = up(R, rows);
  const size = up(R, count);
  const each = b.mul(b.range(b.squeeze(count, 0), 'n'), size);
  const starts = b.min(each, b.sub(R, size)); // [n]
  const row = b.range(b.squeeze(R, 0), 'R');
  const block = b.div(row, size);
  const places = b.add(b.sub(row, b.gather(starts, block)), b.mul(block, size));
  return { size, starts: b.unsqueeze(starts, 1), places, sequences };
}

/** The nodes of a group as the body of a loop over blocks, in front of which and behind which its values are as they were. */
function inBlocks(
  b: Builder,
  { size, starts, places, sequences }: Frame,
  group: readonly Node[],
  read: (value: Value) => boolean,
): void {
  const made = group.flatMap(({ outputs }) => outputs);
  const { name: first } = made[0] as Value;
  const body = new Builder('rows', `${first}.rows.`);
  const start = body.input(`${first}.start`, 'i64', [1]);
  const end = body.add(start, size);
  const inside = new Map(made.map((value) => [value.name, { ...value, name: `${value.name}.block` }]));
  const here = (value: Value | null): Value | null => {
    if (!isRows(value)) return value;
    const known = inside.get(value.name) ?? part(value);
    inside.set(value.name, known);
    return known;
  };
  const part = (value: Value): Value => {
    const rest = value.shape.slice(2) as number[];
    const all = b.op('Reshape', [value, b.ints(-1, ...rest)], ['R', ...rest]);
    return body.unsqueeze(body.op('Slice', [all, start, end, body.ints(0)], ['T', ...rest]), 0);
  };
  for (const node of group)
    body.graph.nodes.push({ ...node, inputs: node.inputs.map(here), outputs: node.outputs.map(here) as Value[] });
  const given = made.filter(read);
  for (const value of given) body.output(`${value.name}.blocks`, here(value) as Value);
  const blocks = b.ops(
    'Scan',
    [starts],
    given.map(({ dtype, shape }) => ({ dtype, shape: ['n', ...shape] as Dim[] })),
    { body: body.graph, num_scan_inputs: 1 },
  );
  for (const [i, value] of given.entries()) {
    const rest = value.shape.slice(2) as number[];
    const all = b.op('Reshape', [blocks[i] as Value, b.ints(-1, ...rest)], ['n·r', ...rest]);
    const shape = b.concat([sequences, b.ints(...rest)], 0);
    b.graph.nodes.push({ op: 'Reshape', inputs: [b.gather(all, places), shape], outputs: [value], attributes: {} });
  }
}
