import type { Value } from '../graph/ir.js';
import type { BoundStack } from '../graph/segment.js';
import { LabError } from '../protocol/errors.js';
import type { HostTensor } from './elements.js';
import { under } from './encoderShape.js';
import { type InputSpec, missingInput, type Pass, type Tensors } from './forward.js';
import type { Model } from './model.js';
import type { TowerPass } from './towerPass.js';

/** Symbolic shapes of outputs by name. */
export type Shapes = ReadonlyMap<string, Value>;

const unknownProbe = (name: string) =>
  new LabError({
    code: 'PROBE_UNKNOWN',
    message: `This model has no probe ${name}.`,
    hint: 'inspect lists every probe of a model.',
  });

/** Encoders that are asked together: each goes by a prefix. */
export interface Encoders {
  readonly inputs: readonly InputSpec[];
  readonly outputs: readonly string[];
  readonly towers: ReadonlyMap<string, Model<BoundStack>>;
  /** Outputs over all towers. */
  readonly together: Shapes;
  /** Outputs of towers that one over all of them is computed from. */
  needs(output: string): readonly string[];
  /** What the towers say together, of `values` by the names that `needs` gives. */
  combine(names: readonly string[], values: Tensors, signal?: AbortSignal): Promise<Tensors>;
}

/** One pass of an encoder, or of several. */
export class EncoderPass implements Pass {
  readonly outputs: readonly string[];

  constructor(
    private readonly model: Encoders,
    /** Of the towers whose inputs were given. */
    readonly towers: ReadonlyMap<string, TowerPass>,
  ) {
    this.outputs = model.outputs.filter((name) => this.#towersOf(name).every((tower) => towers.has(tower)));
  }

  with(other: Pass): EncoderPass | null {
    if (!(other instanceof EncoderPass) || other.model !== this.model) return null;
    const towers = new Map([...this.towers, ...other.towers]);
    return towers.size === this.towers.size + other.towers.size ? new EncoderPass(this.model, towers) : null;
  }

  get insides(): ReadonlyMap<string, TowerPass> {
    return this.towers;
  }

  async read(names: readonly string[], signal?: AbortSignal): Promise<Tensors> {
    const absent = names.flatMap((name) => this.#towersOf(name)).find((tower) => !this.towers.has(tower));
    if (absent !== undefined) throw missingInput(this.#requiredBy(absent), this.model.inputs);
    const together = names.filter((name) => this.model.together.has(name));
    const needed = [...names.filter((name) => !together.includes(name)), ...together.flatMap((name) => this.model.needs(name))];
    const raw = new Map<string, HostTensor>();
    for (const [tower, pass] of this.towers) {
      const asked = needed.filter((name) => this.#towersOf(name)[0] === tower);
      const own = [...new Set(asked)].map((name) => name.slice(tower === '' ? 0 : tower.length + 1));
      for (const [name, value] of await readTower(pass, own, signal)) raw.set(under(tower, name), value);
    }
    if (together.length > 0) for (const [name, value] of await this.model.combine(together, raw, signal)) raw.set(name, value);
    return new Map(names.map((name) => [name, this.#shown(name, raw.get(name) as HostTensor)]));
  }

  /** Of one input, as a language model's values are shown: without the batch. A pair's axes are both batches. */
  #shown(name: string, { type, dims, data }: HostTensor): HostTensor {
    const pairs = this.model.together.get(name)?.shape.every((size) => typeof size === 'string') ?? false;
    return { type, dims: dims[0] === 1 && !pairs ? dims.slice(1) : dims, data };
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

/** Outputs of the pass itself, and probes computed again. */
async function readTower(pass: TowerPass, names: readonly string[], signal?: AbortSignal): Promise<Tensors> {
  if (names.length === 0) return new Map();
  const outputs = await pass.outputs(signal);
  const known = names.flatMap((name) => (outputs.has(name) ? [[name, outputs.get(name) as HostTensor] as const] : []));
  const probes = names.filter((name) => !outputs.has(name));
  return new Map([...known, ...(await pass.read(probes, signal))]);
}
