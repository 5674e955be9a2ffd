import { type BoundEncoders, bindEncoders, findEncoder } from '../architectures/encoders.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import type { Encoder, Towers } from '../graph/architecture.js';
import type { Graph, Value } from '../graph/ir.js';
import { type BoundStack, buildSegment, type Segment } from '../graph/segment.js';
import { type Given, SegmentBuilder } from '../graph/segmentBuilder.js';
import type { ForwardShape, InputSpec } from './forward.js';
import { describeLayers } from './layers.js';
import { tensorTable } from './model.js';

/** One stack and all of it as one segment. */
export interface TowerShape {
  readonly bound: BoundStack;
  readonly whole: Segment;
}

/** What the encoders of a checkpoint take and say: one under no name, or several whose values go by a prefix. */
export interface EncoderShape extends ForwardShape {
  readonly towers: ReadonlyMap<string, TowerShape>;
  /** What they say together, as a graph over their outputs; null for one alone. */
  readonly join: Graph | null;
  readonly pairs: Towers['pairs'] | null;
}

/** The name of a tower's value beside those of the other towers. */
export const under = (tower: string, name: string): string => (tower === '' ? name : `${tower}.${name}`);

const hostTypes = { f32: 'float32', i64: 'int64', bool: 'bool' } as const;

/** Binds without loading, what findEncoder knows. Errors: CONFIG_*, WEIGHT_*. */
export function bindCheckpointEncoders(checkpoint: Checkpoint): BoundEncoders {
  const family = findEncoder(checkpoint.config) as Encoder | Towers;
  return bindEncoders(family, checkpoint.config ?? {}, tensorTable(checkpoint));
}

/** Builds graphs, reads no weights. Errors: CONFIG_*, WEIGHT_*. */
export function encoderShape(checkpoint: Checkpoint): EncoderShape {
  const bound = bindCheckpointEncoders(checkpoint);
  const towers = new Map(
    [...bound.towers].map(([name, tower]): [string, TowerShape] => [
      name,
      { bound: tower, whole: buildSegment(tower, { from: 0, to: tower.config.layers, embed: true, head: true }) },
    ]),
  );
  const each = [...towers].map(([name, { whole }]) => [name, whole] as const);
  const join = bound.together && joinGraph(checkpoint, bound.together.join, towers);
  const own = each.flatMap(([tower, whole]) => [...whole.graph.outputs.keys()].map((name) => under(tower, name)));
  const declared = each.flatMap(([tower, whole]) => whole.declared.map((name) => under(tower, name)));
  return {
    family: bound.id,
    towers,
    join,
    pairs: bound.together?.pairs ?? null,
    layers: [...towers].flatMap(([tower, { bound }]) => describeLayers(bound, tower)),
    inputs: each.flatMap(([tower, whole]) => whole.given.map((given) => inputSpec(tower, given))),
    outputs: [...own, ...(join?.outputs.keys() ?? [])],
    probes: declared.filter((name) => !own.includes(name)),
  };
}

const inputSpec = (tower: string, { name, dtype, shape, otherwise, padTo }: Given): InputSpec => ({
  name,
  dtype: hostTypes[dtype],
  shape: shape.map((size) => (size === 'B' ? under(tower, 'B') : size)),
  optional: otherwise !== null,
  padTo,
});

function joinGraph(checkpoint: Checkpoint, join: Towers['join'], towers: EncoderShape['towers']): Graph {
  const g = new SegmentBuilder('join', tensorTable(checkpoint), { probes: new Set(), interventions: new Set() });
  const said = join(g, (tower, name) => {
    const value = towers.get(tower)?.whole.graph.outputs.get(name) as Value;
    return g.input(under(tower, name), 'f32', [under(tower, 'B'), ...value.shape.slice(1)]);
  });
  for (const [name, value] of Object.entries(said)) g.output(name, value);
  return g.graph;
}
