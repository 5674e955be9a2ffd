import { type BoundEncoders, bindEncoders, findEncoder } from '../architectures/encoders.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import type { Encoder, Towers } from '../graph/architecture.js';
import { emitOnnx } from '../graph/emit.js';
import { type Graph, prune, type Value } from '../graph/ir.js';
import type { BoundStack } from '../graph/segment.js';
import { type Given, SegmentBuilder } from '../graph/segmentBuilder.js';
import { weightUses } from '../graph/uses.js';
import { assertSound } from '../graph/verify.js';
import { LabError } from '../protocol/errors.js';
import { sizeOf } from '../tensor/tensor.js';
import type { Compute, Device } from './device.js';
import type { HostTensor } from './elements.js';
import { type Forward, fitInputs, type InputSpec, missingInput, type Pass, type Tensors } from './forward.js';
import { Model, type ModelOptions, memoryNeeded, tensorTable } from './model.js';
import { TowerPass } from './towerPass.js';
import { planWeights } from './weightPlan.js';
import { WeightStore } from './weights.js';

const hostTypes = { f32: 'float32', i64: 'int64', bool: 'bool' } as const;

const outOfRange = (name: string, value: bigint, below: number) =>
  new LabError({
    code: 'TOKEN_INVALID',
    message: `Input ${name} holds ${value}, which is not in 0…${below - 1}.`,
    hint: 'Check the input, or whether the tokenizer belongs to this model.',
  });

const tooLong = (tokens: number, limit: number) =>
  new LabError({
    code: 'CONTEXT_FULL',
    message: `This model has positions for ${limit} tokens, not for ${tokens}.`,
    hint: 'Shorten the text.',
  });

const empty = (name: string) =>
  new LabError({ code: 'INPUT_SHAPE', message: `Input ${name} is empty.`, hint: 'Give at least one token, or one patch.' });

/** The name of a tower's value beside those of the other towers. */
const under = (tower: string, name: string): string => (tower === '' ? name : `${tower}.${name}`);

/** What the towers say together, as a graph over their outputs. */
interface Join {
  readonly graph: Graph;
  readonly weights: WeightStore;
  /** Compiled, by the outputs it computes. */
  readonly sessions: Map<string, Promise<number>>;
}

/** The encoders of a checkpoint: one, or several whose values go by a prefix, with what they say together. */
export class EncoderModel implements Forward {
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly string[];
  readonly probes: readonly string[];

  private constructor(
    readonly family: string,
    readonly towers: ReadonlyMap<string, Model<BoundStack>>,
    private readonly join: Join | null,
    private readonly device: Device,
    private readonly compute: Compute,
  ) {
    const each = [...towers];
    this.inputs = each.flatMap(([tower, model]) => model.whole.given.map((given) => inputSpec(tower, given)));
    const own = each.flatMap(([tower, model]) => [...model.whole.graph.outputs.keys()].map((name) => under(tower, name)));
    this.outputs = [...own, ...(join?.graph.outputs.keys() ?? [])];
    const declared = each.flatMap(([tower, model]) => model.whole.declared.map((name) => under(tower, name)));
    this.probes = declared.filter((name) => !own.includes(name));
  }

  /** Errors: those of binding, MODEL_TOO_LARGE, DISK_FULL, RUNTIME_FAILED, CANCELLED. */
  static async open(checkpoint: Checkpoint, options: ModelOptions): Promise<EncoderModel> {
    const bound = bindCheckpointEncoders(checkpoint);
    const towers = new Map<string, Model<BoundStack>>();
    try {
      const { memoryLimit } = options;
      let held = 0;
      for (const [name, tower] of bound.towers) {
        const left = memoryLimit === undefined ? {} : { memoryLimit: memoryLimit - held };
        towers.set(name, await Model.load(checkpoint, tower, { ...options, ...left }));
        held += memoryNeeded(checkpoint, tower);
      }
      const join = bound.join && (await openJoin(checkpoint, bound.join, towers));
      const { device, threads, provider = 'cpu', spinning = false } = options;
      return new EncoderModel(bound.id, towers, join, device, { threads, provider, spinning });
    } catch (error) {
      for (const model of towers.values()) await model.close();
      throw error;
    }
  }

  begin(inputs: Tensors): EncoderPass {
    const fitted = fitInputs(this.inputs, inputs);
    const passes = new Map<string, TowerPass>();
    for (const [tower, model] of this.towers) {
      const complete = model.whole.given.every(({ name, otherwise }) => otherwise !== null || fitted.has(name));
      if (complete) passes.set(tower, new TowerPass(model, filled(model, fitted)));
    }
    if (passes.size === 0) throw missingInput(this.#missing(fitted), this.inputs);
    return new EncoderPass(this, passes);
  }

  /** Which of the join's inputs an output needs, by their names. */
  needs(output: string): readonly string[] {
    return this.join ? prune(this.join.graph, [output]).inputs.map(({ name }) => name) : [];
  }

  /** Outputs over all towers, with their symbolic shapes. */
  get together(): ReadonlyMap<string, Value> {
    return this.join?.graph.outputs ?? new Map();
  }

  /** Runs what the towers say together: `values` by the names of the join's inputs. */
  async combine(names: readonly string[], values: Tensors, signal?: AbortSignal): Promise<Tensors> {
    const { graph, weights, sessions } = this.join as Join;
    const part = prune(graph, names);
    const key = names.join();
    const load = async () => {
      assertSound(part);
      const bytes = emitOnnx(part, { place: weights.place, weights: 'map' });
      return this.device.load(bytes, { folder: weights.folder, ...this.compute, prepack: false });
    };
    const session = sessions.get(key) ?? load();
    sessions.set(key, session);
    const feeds = Object.fromEntries(
      part.inputs.map(({ name }) => [name, { kind: 'tensor', tensor: values.get(name) as HostTensor } as const]),
    );
    const sinks = Object.fromEntries(names.map((name) => [name, [{ kind: 'return', name } as const]]));
    return new Map(Object.entries(await this.device.run([{ session: await session, feeds, sinks }], signal && { signal })));
  }

  async close(): Promise<void> {
    for (const model of this.towers.values()) await model.close();
    const sessions = await Promise.allSettled(this.join?.sessions.values() ?? []);
    await this.device.release(sessions.flatMap((s) => (s.status === 'fulfilled' ? [s.value] : [])));
    await this.join?.weights.close();
  }

  /** The first input that was not given and has no other value. */
  #missing = (given: Tensors): string => this.inputs.find(({ name, optional }) => !optional && !given.has(name))?.name ?? '';
}

/** One pass of an encoder, or of several. */
export class EncoderPass implements Pass {
  readonly outputs: readonly string[];

  constructor(
    private readonly model: EncoderModel,
    /** Of the towers whose inputs were given. */
    readonly towers: ReadonlyMap<string, TowerPass>,
  ) {
    this.outputs = model.outputs.filter((name) => this.#towersOf(name).every((tower) => towers.has(tower)));
  }

  async read(names: readonly string[], signal?: AbortSignal): Promise<Tensors> {
    const absent = names.flatMap((name) => this.#towersOf(name)).find((tower) => !this.towers.has(tower));
    if (absent !== undefined) throw missingInput(this.#requiredBy(absent), this.model.inputs);
    const together = names.filter((name) => this.model.together.has(name));
    const needed = together.flatMap((name) => this.model.needs(name));
    const raw = new Map<string, HostTensor>();
    for (const [tower, pass] of this.towers) {
      const asked = [...names, ...needed].filter((name) => this.#towersOf(name)[0] === tower && !this.model.together.has(name));
      const own = [...new Set(asked)].map((name) => name.slice(tower === '' ? 0 : tower.length + 1));
      for (const [name, value] of await readTower(pass, own, signal)) raw.set(under(tower, name), value);
    }
    const result = new Map<string, HostTensor>();
    for (const name of names) {
      const value = raw.get(name);
      if (value) result.set(name, withoutBatch(value));
    }
    if (together.length > 0)
      for (const [name, value] of await this.model.combine(together, raw, signal))
        result.set(name, isPairwise(this.model.together.get(name) as Value) ? value : withoutBatch(value));
    return result;
  }

  /** Those that must have run before this can be read. */
  #towersOf(name: string): string[] {
    if (this.model.together.has(name)) return this.model.needs(name).map((input) => input.slice(0, input.indexOf('.')));
    if (this.model.towers.has('')) return [''];
    const tower = [...this.model.towers.keys()].find((prefix) => name.startsWith(`${prefix}.`));
    if (tower === undefined) throw unknownProbe(name);
    return [tower];
  }

  #requiredBy(tower: string): string {
    const given = this.model.towers.get(tower)?.whole.given ?? [];
    return given.find(({ otherwise }) => otherwise === null)?.name ?? '';
  }
}

const unknownProbe = (name: string) =>
  new LabError({
    code: 'PROBE_UNKNOWN',
    message: `This model has no probe ${name}.`,
    hint: 'inspect lists every probe of a model.',
  });

/** Outputs of the pass itself, and probes computed again. */
async function readTower(pass: TowerPass, names: readonly string[], signal?: AbortSignal): Promise<Tensors> {
  if (names.length === 0) return new Map();
  const outputs = await pass.outputs(signal);
  const probes = names.filter((name) => !outputs.has(name));
  const known = names.flatMap((name) => (outputs.has(name) ? [[name, outputs.get(name) as HostTensor] as const] : []));
  return new Map([...known, ...(await pass.probes(probes, signal))]);
}

/** Of one input, as a language model's values are shown: without the batch. */
const withoutBatch = ({ type, dims, data }: HostTensor): HostTensor => ({
  type,
  dims: dims[0] === 1 ? dims.slice(1) : dims,
  data,
});

/** Both axes are batches. */
const isPairwise = ({ shape }: Value): boolean => shape.every((size) => typeof size === 'string');

function inputSpec(tower: string, { name, dtype, shape, otherwise }: Given): InputSpec {
  return {
    name,
    dtype: hostTypes[dtype],
    shape: shape.map((size) => (size === 'B' ? under(tower, 'B') : size)),
    optional: otherwise !== null,
  };
}

/** What a tower reads, checked, with what was not given filled in. */
function filled(model: Model<BoundStack>, inputs: Tensors): Tensors {
  const { given } = model.whole;
  const sizes = new Map<string, number>();
  for (const { name, shape } of given) {
    const tensor = inputs.get(name);
    if (!tensor) continue;
    for (const [axis, size] of shape.entries()) if (typeof size === 'string') sizes.set(size, tensor.dims[axis] as number);
    if (tensor.data.length === 0) throw empty(name);
  }
  const [T, limit] = [sizes.get('T'), model.bound.config.limit];
  if (T !== undefined && limit && T > limit) throw tooLong(T, limit);
  return new Map(given.map((spec) => [spec.name, checked(spec, inputs.get(spec.name) ?? constant(spec, sizes))]));
}

function constant({ shape, otherwise }: Given, sizes: ReadonlyMap<string, number>): HostTensor {
  const dims = shape.map((size) => (typeof size === 'number' ? size : (sizes.get(size) as number)));
  return { type: 'int64', dims, data: new BigInt64Array(sizeOf(dims)).fill(BigInt(otherwise as number)) };
}

function checked({ name, below }: Given, tensor: HostTensor): HostTensor {
  if (below !== null)
    for (const value of tensor.data as BigInt64Array) if (value < 0n || value >= below) throw outOfRange(name, value, below);
  return tensor;
}

/** Binds without loading. Errors: CONFIG_*, WEIGHT_*. */
export function bindCheckpointEncoders(checkpoint: Checkpoint): BoundEncoders {
  const family = findEncoder(checkpoint.config) as Encoder | Towers;
  return bindEncoders(family, checkpoint.config ?? {}, tensorTable(checkpoint));
}

async function openJoin(
  checkpoint: Checkpoint,
  join: Towers['join'],
  towers: ReadonlyMap<string, Model<BoundStack>>,
): Promise<Join> {
  const g = new SegmentBuilder('join', tensorTable(checkpoint), { probes: new Set(), interventions: new Set() });
  const said = join(g, (tower, name) => {
    const value = towers.get(tower)?.whole.graph.outputs.get(name) as Value;
    return g.input(under(tower, name), 'f32', [under(tower, 'B'), ...value.shape.slice(1)]);
  });
  for (const [name, value] of Object.entries(said)) g.output(name, value);
  return {
    graph: g.graph,
    weights: await WeightStore.open(checkpoint, planWeights(checkpoint, weightUses(g.graph))),
    sessions: new Map(),
  };
}
