import type { Checkpoint } from '../formats/checkpoint.js';
import { emitOnnx } from '../graph/emit.js';
import { prune } from '../graph/ir.js';
import type { BoundStack } from '../graph/segment.js';
import { weightUses } from '../graph/uses.js';
import { assertSound } from '../graph/verify.js';
import type { RunDtype } from '../protocol/models.js';
import { OnceByKey } from '../protocol/once.js';
import type { Compute, Device } from './device.js';
import type { HostTensor } from './elements.js';
import { stackInputs } from './encoderInputs.js';
import { EncoderPass, type Encoders, type Shapes } from './encoderPass.js';
import { type EncoderShape, encoderShape } from './encoderShape.js';
import { type Forward, fitInputs, type InputSpec, missingInput, type Tensors } from './forward.js';
import { Model, type ModelOptions } from './model.js';
import { TowerPass } from './towerPass.js';
import { planWeights } from './weightPlan.js';
import { WeightStore } from './weights.js';

/** The encoders of a checkpoint: one, or several whose values go by a prefix, with what they say together. */
export class EncoderModel implements Forward, Encoders {
  readonly #sessions = new OnceByKey<number>();

  private constructor(
    readonly shape: EncoderShape,
    readonly towers: ReadonlyMap<string, Model<BoundStack>>,
    /** Of the graph that joins them. */
    private readonly weights: WeightStore | null,
    private readonly device: Device,
    private readonly compute: Compute,
  ) {}

  /** Errors: those of binding, MODEL_TOO_LARGE, DISK_FULL, RUNTIME_FAILED, CANCELLED. */
  static async open(checkpoint: Checkpoint, options: ModelOptions): Promise<EncoderModel> {
    const shape = encoderShape(checkpoint);
    const towers = new Map<string, Model<BoundStack>>();
    try {
      const { memoryLimit } = options;
      let held = 0;
      for (const [name, { bound }] of shape.towers) {
        const left = memoryLimit === undefined ? {} : { memoryLimit: memoryLimit - held };
        const tower = await Model.load(checkpoint, bound, { ...options, ...left });
        towers.set(name, tower);
        held += tower.memory;
      }
      const weights = shape.join && (await WeightStore.open(checkpoint, planWeights(checkpoint, weightUses(shape.join))));
      const { device, threads, provider = 'cpu', spinning = false } = options;
      return new EncoderModel(shape, towers, weights, device, { threads, provider, spinning });
    } catch (error) {
      for (const model of towers.values()) await model.close();
      throw error;
    }
  }

  get family(): string {
    return this.shape.family;
  }

  get dtype(): RunDtype {
    return [...this.towers.values()][0]?.dtype ?? 'own';
  }

  get provider(): string {
    return this.compute.provider ?? 'cpu';
  }

  get memory(): number {
    return [...this.towers.values()].reduce((sum, { memory }) => sum + memory, 0);
  }

  get pairs(): EncoderShape['pairs'] {
    return this.shape.pairs;
  }

  get layers(): EncoderShape['layers'] {
    return this.shape.layers;
  }

  get inputs(): readonly InputSpec[] {
    return this.shape.inputs;
  }

  get outputs(): readonly string[] {
    return this.shape.outputs;
  }

  get probes(): readonly string[] {
    return this.shape.probes;
  }

  begin(inputs: Tensors): EncoderPass {
    const fitted = fitInputs(this.inputs, inputs);
    const passes = new Map<string, TowerPass>();
    for (const [tower, model] of this.towers) {
      const complete = model.whole.given.every(({ name, otherwise }) => otherwise !== null || fitted.has(name));
      if (complete) passes.set(tower, new TowerPass(model, stackInputs(model.bound, model.whole, fitted)));
    }
    const first = this.inputs.find(({ name, optional }) => !optional && !fitted.has(name));
    if (passes.size === 0) throw missingInput(first?.name ?? '', this.inputs);
    return new EncoderPass(this, passes);
  }

  get together(): Shapes {
    return this.shape.join?.outputs ?? new Map();
  }

  needs(output: string): readonly string[] {
    return this.shape.join ? prune(this.shape.join, [output]).inputs.map(({ name }) => name) : [];
  }

  async combine(names: readonly string[], values: Tensors, signal?: AbortSignal): Promise<Tensors> {
    const { join } = this.shape;
    if (!join || !this.weights) throw new RangeError('one tower says nothing together');
    const { folder, place } = this.weights;
    const graph = prune(join, names);
    const session = await this.#sessions.get(names.join(), async () => {
      assertSound(graph);
      return this.device.load(emitOnnx(graph, { place, weights: 'map' }), { folder, ...this.compute, prepack: false });
    });
    const feed = (name: string) => [name, { kind: 'tensor', tensor: values.get(name) as HostTensor }] as const;
    const feeds = Object.fromEntries(graph.inputs.map(({ name }) => feed(name)));
    const sinks = Object.fromEntries(names.map((name) => [name, [{ kind: 'return', name } as const]]));
    return new Map(Object.entries(await this.device.run([{ session, feeds, sinks }], signal && { signal })));
  }

  async close(): Promise<void> {
    for (const model of this.towers.values()) await model.close();
    await this.device.release(await this.#sessions.drain());
    await this.weights?.close();
  }
}
