import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { architectures } from '../../server/architectures/registry.js';
import type { Checkpoint, TensorEntry } from '../../server/formats/checkpoint.js';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { emitOnnx } from '../../server/graph/emit.js';
import { type Exact, exact, sizeOf } from '../../server/graph/exact/tensor.js';
import { interpret } from '../../server/graph/interpreter.js';
import type { Graph } from '../../server/graph/ir.js';
import { type BoundArchitecture, type BoundStack, buildSegment, type SegmentSpec } from '../../server/graph/segment.js';
import { f32, i64 } from '../../server/runtime/device.js';
import type { HostTensor } from '../../server/runtime/elements.js';
import { bindCheckpointEncoders } from '../../server/runtime/encoderShape.js';
import { bindCheckpoint } from '../../server/runtime/model.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { planWeights } from '../../server/runtime/weightPlan.js';
import { WeightStore } from '../../server/runtime/weights.js';
import { fixtures } from '../parity/oracle.js';

/** Every fixture of a family that can run, by its path below the oracles. */
export const families: readonly string[] = ['.', '../oracles_more'].flatMap((folder) =>
  readdirSync(path.join(fixtures, folder))
    .map((name) => path.join(folder, name))
    .filter((name) => isFamily(path.join(fixtures, name, 'config.json'))),
);

/** Decoders that the registry does not name, likewise. */
export const inferredFamilies: readonly string[] = readdirSync(path.join(fixtures, '../oracles_inferred')).map((name) =>
  path.join('../oracles_inferred', name),
);

function isFamily(file: string): boolean {
  if (!existsSync(file)) return false;
  const { model_type } = JSON.parse(readFileSync(file, 'utf8'));
  return architectures.some(({ names }) => names.includes(model_type));
}

/** Uniform in ±`size`, the same on every machine. */
export function noise(seed: number, shape: readonly number[], size = 1): Exact {
  let state = seed * 2654435761 + 1;
  const next = () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
  return { shape, data: Float64Array.from({ length: sizeOf(shape) }, () => Math.fround((2 * next() - 1) * size)) };
}

export interface StackSubject {
  readonly bound: BoundStack;
  readonly weight: (tensor: string) => Exact;
  readonly store: WeightStore;
}

export interface Subject extends StackSubject {
  readonly bound: BoundArchitecture;
}

/** A fixture, with its weights read into memory for the interpreter. */
export async function subject(name: string): Promise<Subject> {
  const checkpoint = await openCheckpoint(path.resolve(fixtures, name));
  return { bound: await bindCheckpoint(checkpoint), ...(await weightsOf(checkpoint)) };
}

/** The encoders of a fixture by tower, on the same terms. */
export async function encoderSubjects(name: string): Promise<Map<string, StackSubject>> {
  const checkpoint = await openCheckpoint(path.resolve(fixtures, name));
  const weights = await weightsOf(checkpoint);
  return new Map([...bindCheckpointEncoders(checkpoint).towers].map(([tower, bound]) => [tower, { bound, ...weights }]));
}

async function weightsOf(checkpoint: Checkpoint): Promise<Pick<StackSubject, 'weight' | 'store'>> {
  const read = async (e: TensorEntry) => [e.name, exact(e.shape, await readTensor(checkpoint, e))] as const;
  const weights = new Map(await Promise.all([...checkpoint.tensors.values()].map(read)));
  return {
    weight: (tensor) => weights.get(tensor) as Exact,
    store: await WeightStore.open(
      checkpoint,
      planWeights(checkpoint, new Map([...checkpoint.tensors.keys()].map((name) => [name, new Set(['rows', 'other'] as const)]))),
    ),
  };
}

export const whole = ({ bound }: StackSubject): SegmentSpec => ({ from: 0, to: bound.config.layers, embed: true, head: true });

/** The whole model with every probe it declares as an output. */
export function allProbes(s: StackSubject, interventions: readonly string[] = []): Graph {
  const { declared } = buildSegment(s.bound, whole(s));
  return buildSegment(s.bound, { ...whole(s), probes: new Set(declared), interventions: new Set(interventions) }).graph;
}

/** How an input of a segment is filled: T new tokens behind `past`, of which a kv state still has `kept` rows in arrays of C. */
const sizes = { B: 1, T: 5, C: 4, past: 6, kept: 3 };

/** Random inputs: tokens, states as a past would have left them, whatever `given` does not name. */
export function inputsOf(
  s: Subject,
  graph: Graph,
  given: Readonly<Record<string, Exact>> = {},
  T = sizes.T,
): Record<string, Exact> {
  const vocab = s.bound.config.vocab;
  return Object.fromEntries(
    graph.inputs.map((value, seed) => {
      const shape = value.shape.map((d) =>
        typeof d === 'number' ? d : d.startsWith('C') ? sizes.C : d === 'T' ? T : sizes[d as 'B'],
      );
      const make = (): Exact => {
        if (value.name === 'tokens')
          return exact(
            shape,
            Array.from({ length: T }, (_, i) => (i * 7 + 3) % vocab),
          );
        if (value.name === 'past') return exact([1], [sizes.past]);
        // tokens of short runs and of long ones
        if (value.name === 'reach')
          return exact(
            shape,
            Array.from({ length: T }, (_, i) => (i % 2 === 0 ? 9 : 5000)),
          );
        if (value.name.endsWith('.kept')) return exact([1], [sizes.kept]);
        const values = noise(seed, shape);
        return /_var\.past$/.test(value.name) ? { shape, data: values.data.map(Math.abs) } : values; // no variance is negative
      };
      return [value.name, given[value.name] ?? make()];
    }),
  );
}

/** The same graph in double precision and in ONNX Runtime, from the same inputs: [exact, single] by output. */
export async function both(
  s: StackSubject,
  graph: Graph,
  inputs: Readonly<Record<string, Exact>>,
  prepack = true,
): Promise<Map<string, readonly [Exact, HostTensor]>> {
  const device = new LocalDevice();
  const model = emitOnnx(graph, { place: s.store.place, weights: prepack ? 'prepack' : 'map' });
  const session = await device.load(model, { folder: s.store.folder, threads: 1, prepack });
  const host = (name: string, { shape, data }: Exact) =>
    graph.inputs.find((v) => v.name === name)?.dtype === 'i64' ? i64(shape, [...data]) : f32(shape, Float32Array.from(data));
  const feeds = Object.entries(inputs).map(([name, x]) => [name, { kind: 'tensor', tensor: host(name, x) }] as const);
  const sinks = [...graph.outputs.keys()].map((name) => [name, [{ kind: 'return', name } as const]] as const);
  const got = await device.run([{ session, feeds: Object.fromEntries(feeds), sinks: Object.fromEntries(sinks) }]);
  await device.close();
  return new Map([...interpret(graph, inputs, s.weight)].map(([name, x]) => [name, [x, got[name] as HostTensor]]));
}
