import type { Dim } from '../graph/ir.js';
import { LabError } from '../protocol/errors.js';
import type { Inference, RunDtype } from '../protocol/models.js';
import { convert, type HostTensor } from './elements.js';
import type { LayerView, RunView } from './view.js';

/** What goes in under a name. A symbolic size takes any length, the same wherever it is named; a symbolic first axis is the batch. */
export interface InputSpec {
  readonly name: string;
  readonly dtype: HostTensor['type'];
  /** Null: of any rank. */
  readonly shape: readonly Dim[] | null;
  /** The model makes it itself when it is not given, e.g. an attention mask of ones. */
  readonly optional: boolean;
  /** Texts are filled up to this many tokens, which the model then sees as any others. Absent or null: they are not. */
  readonly padTo?: number | null;
}

export type Tensors = ReadonlyMap<string, HostTensor>;

/** What the headers of a model of one pass say. */
export interface ForwardShape {
  readonly family: string;
  /** How the family was told from the files alone; absent when it is known by name. */
  readonly inferred?: readonly Inference[];
  /** Of all towers, one after the other; none when its inside is not known. */
  readonly layers: readonly LayerView[];
  readonly inputs: readonly InputSpec[];
  /** What it computes, in its own order. */
  readonly outputs: readonly string[];
  /** Inner values that can be read as well, by full name. */
  readonly probes: readonly string[];
  /** What else the file says of itself, for the metadata. */
  readonly about?: Readonly<Record<string, unknown>>;
}

/** A model that is given named tensors and returns named tensors in one pass: encoders, vision models, ONNX graphs. */
export interface Forward extends ForwardShape {
  readonly provider: string;
  /** What its weights are computed as. */
  readonly dtype: RunDtype;
  /** Bytes it holds. */
  readonly memory: number;
  /** How what is said of two passes becomes probabilities; absent or null when passes have nothing to do with each other. */
  readonly pairs?: 'softmax' | 'sigmoid' | null;
  /** Checks the inputs; nothing is computed before it is read. Errors: INPUT_*. */
  begin(inputs: Tensors): Pass;
  close(): Promise<void>;
}

/** One pass over given inputs. What a later question needs may be kept from an earlier one. */
export interface Pass {
  /** Those of the model's outputs that follow from the inputs given. */
  readonly outputs: readonly string[];
  /**
   * Outputs and probes by name, and nothing that they do not need. Shapes as the model has them; an encoder drops a batch axis of 1.
   * Errors: PROBE_UNKNOWN, INPUT_MISSING, CANCELLED, RUNTIME_FAILED.
   */
  read(names: readonly string[], signal?: AbortSignal): Promise<Tensors>;
  /** This pass and another through another tower of the same model, as one: they share what each has computed. Null when they do not meet. */
  with?(other: Pass): Pass | null;
  /** The inside as views see it, by tower: what they know of a language model's run. Absent when it is not known. */
  readonly insides?: ReadonlyMap<string, Inside>;
}

/** The layers of one stack over the tokens of one pass. Names are those of a language model: without the tower. */
export interface Inside {
  readonly layers: readonly LayerView[];
  /** What each token is, in order: null is the next patch of the image, a word any other token; null when they are words of a text. */
  labels(patches: number): readonly (string | null)[] | null;
  /** Sides of a patch of the image, [height, width]; null when it reads none. */
  readonly patchSides: readonly [number, number] | null;
  /** Tokens there are; runs the pass when it has not run. */
  tokens(signal?: AbortSignal): Promise<number>;
  /** As RunView.probes. */
  probes: RunView['probes'];
  /** Bytes kept so that probes can be computed. */
  readonly bytes: number;
}

const told = (specs: readonly InputSpec[]) =>
  specs.map(({ name, shape }) => (shape ? `${name} [${shape.join(', ')}]` : name)).join(', ');

const unknownInput = (name: string, specs: readonly InputSpec[]) =>
  new LabError({
    code: 'INPUT_UNKNOWN',
    message: `This model has no input ${name}.`,
    hint: `Its inputs are ${told(specs)}.`,
  });

const badShape = (name: string, shape: readonly number[], expected: readonly Dim[]) =>
  new LabError({
    code: 'INPUT_SHAPE',
    message: `Input ${name} is [${shape.join(', ')}], the model takes [${expected.join(', ')}].`,
    hint: 'Names stand for any size, the same in every input; a leading batch axis may be left out.',
  });

const badType = (name: string, type: string, expected: string) =>
  new LabError({
    code: 'INPUT_DTYPE',
    message: `Input ${name} is ${type}, the model takes ${expected}.`,
    hint: 'Convert the tensor: ids and masks are whole numbers, pixels are floats.',
  });

export const missingInput = (name: string, specs: readonly InputSpec[]) =>
  new LabError({
    code: 'INPUT_MISSING',
    message: `Input ${name} was not given.`,
    hint: `The model's inputs are ${told(specs)}.`,
  });

/** Inputs as the model takes them: with the batch axis, whole numbers where it counts. Errors: INPUT_UNKNOWN, INPUT_DTYPE, INPUT_SHAPE. */
export function fitInputs(specs: readonly InputSpec[], given: Tensors): Tensors {
  const sizes = new Map<string, number>();
  const fitted = new Map<string, HostTensor>();
  for (const [name, tensor] of given) {
    const spec = specs.find((s) => s.name === name);
    if (!spec) throw unknownInput(name, specs);
    fitted.set(name, shaped(spec, typed(spec, tensor), sizes));
  }
  return fitted;
}

function shaped({ name, shape }: InputSpec, tensor: HostTensor, sizes: Map<string, number>): HostTensor {
  if (!shape) return tensor;
  const batched = typeof shape[0] === 'string' && tensor.dims.length === shape.length - 1;
  const dims = batched ? [1, ...tensor.dims] : tensor.dims;
  const fits = dims.length === shape.length && shape.every((size, axis) => meets(size, dims[axis] as number, sizes));
  if (!fits) throw badShape(name, tensor.dims, shape);
  return { ...tensor, dims };
}

function meets(size: Dim, actual: number, sizes: Map<string, number>): boolean {
  if (typeof size === 'number') return size === actual;
  const known = sizes.get(size);
  if (known === undefined) sizes.set(size, actual);
  return (known ?? actual) === actual;
}

/** Whole numbers stand for floats and for truth values; floats stand for nothing else. */
function typed({ name, dtype }: InputSpec, tensor: HostTensor): HostTensor {
  const converted = convert(tensor, dtype);
  if (!converted) throw badType(name, tensor.type, dtype);
  return converted;
}
