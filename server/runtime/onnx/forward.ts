import { freemem } from 'node:os';
import type { Checkpoint } from '../../formats/checkpoint.js';
import type { Dim } from '../../graph/ir.js';
import type { OnnxDocument } from '../../graph/onnx/document.js';
import { countOperators, outlineOf } from '../../graph/onnx/outline.js';
import { handedAs, OnnxProbes } from '../../graph/onnx/probes.js';
import { inputsOf } from '../../graph/onnx/surgery.js';
import { typeOf } from '../../graph/onnx/types.js';
import { LabError } from '../../protocol/errors.js';
import type { Device } from '../device.js';
import { elementOf, type HostTensor } from '../elements.js';
import { type Forward, type ForwardShape, fitInputs, type InputSpec, missingInput, type Pass, type Tensors } from '../forward.js';
import { type ModelOptions, tooLarge } from '../model.js';
import { readDocument } from './document.js';
import { placesOf } from './places.js';
import { type GraphSession, GraphSessions } from './sessions.js';

const notATensor = (name: string, kind: string) =>
  new LabError({
    code: 'INPUT_UNSUPPORTED',
    message: `Input ${name} is a ${kind}, and only tensors can be given.`,
    hint: 'Export the model with tensors as inputs.',
  });

/** An ONNX graph as it is in its file, run by ONNX Runtime; every value of it is a probe. */
export class OnnxForward implements Forward {
  readonly family = 'onnx';
  /** A graph from a file is computed as it says. */
  readonly dtype = 'own';
  readonly layers = [];
  readonly inputs: readonly InputSpec[];

  private constructor(
    readonly document: OnnxDocument,
    private readonly sessions: GraphSessions,
    private readonly device: Device,
    readonly provider: string,
    readonly memory: number,
  ) {
    this.inputs = inputSpecs(document);
  }

  /** Errors: ONNX_INVALID, INPUT_UNSUPPORTED, MODEL_TOO_LARGE, RUNTIME_FAILED. */
  static async open(
    checkpoint: Checkpoint,
    { device, threads, provider, spinning, memoryLimit }: ModelOptions,
  ): Promise<OnnxForward> {
    const document = await readDocument(checkpoint);
    const size = [...checkpoint.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    const available = memoryLimit ?? freemem();
    if (size > available) throw tooLarge(size, available);
    const places = await placesOf(checkpoint, document);
    const compute = { threads, ...(provider !== undefined && { provider }), ...(spinning !== undefined && { spinning }) };
    const sessions = new GraphSessions(new OnnxProbes(document), { device, places, ...compute }, true);
    return new OnnxForward(document, sessions, device, provider ?? 'cpu', size);
  }

  /** What the header says. Errors: ONNX_INVALID, INPUT_UNSUPPORTED. */
  static async describe(checkpoint: Checkpoint): Promise<ForwardShape> {
    const document = await readDocument(checkpoint);
    const { names } = new OnnxProbes(document);
    const about = { graph: document.graph.name, operators: countOperators(outlineOf(document)) };
    return { family: 'onnx', layers: [], inputs: inputSpecs(document), outputs: document.outputs, probes: names, about };
  }

  get outputs(): readonly string[] {
    return this.document.outputs;
  }

  get probes(): readonly string[] {
    return this.values.names;
  }

  get values(): OnnxProbes {
    return this.sessions.probes;
  }

  begin(inputs: Tensors): Pass {
    const given = fitInputs(this.inputs, inputs);
    const follows = (name: string) => inputsOf(this.document, { outputs: [name] }).every((input) => given.has(input));
    return { outputs: this.outputs.filter(follows), read: (names, signal) => this.#read(given, names, signal) };
  }

  close(): Promise<void> {
    return this.sessions.close();
  }

  async #read(given: Tensors, names: readonly string[], signal?: AbortSignal): Promise<Tensors> {
    if (names.length === 0) return new Map();
    const session = await this.sessions.get([...new Set(names)]);
    const sinks = Object.fromEntries(
      [...session.outputs.values()].map((output) => [output, [{ kind: 'return', name: output }] as const]),
    );
    const step = { session: session.session, feeds: this.#feeds(session, given), sinks };
    const out = await this.device.run([step], signal ? { signal } : {});
    return new Map([...session.outputs].map(([name, output]) => [name, out[output] as HostTensor]));
  }

  #feeds({ inputs }: GraphSession, given: Tensors) {
    const feed = (input: string) => {
      const name = this.values.fed(input);
      const tensor = given.get(name);
      if (!tensor) throw missingInput(name, this.inputs);
      return { kind: 'tensor', tensor } as const;
    };
    return Object.fromEntries(inputs.map((input) => [input, feed(input)]));
  }
}

function inputSpecs(document: OnnxDocument): InputSpec[] {
  return document.inputs.map((name) => {
    const { kind, dtype, shape } = typeOf(document.graph.input.find((input) => input.name === name)?.type);
    const type = elementOf(handedAs(dtype ?? ''));
    if (kind !== 'tensor' || type === null) throw notATensor(name, dtype === null ? kind : `tensor of ${dtype}`);
    // sizes without a name have nothing to do with each other
    const dims = shape?.map((size, axis): Dim => (size === '?' ? `${name}.${axis}` : size)) ?? null;
    return { name, dtype: type, shape: dims, optional: false };
  });
}
