import { freemem } from 'node:os';
import { type Checkpoint, tensorBytes } from '../../formats/checkpoint.js';
import type { Dim } from '../../graph/ir.js';
import { type GraphBlocks, graphBlocks } from '../../graph/onnx/blocks.js';
import type { OnnxDocument } from '../../graph/onnx/document.js';
import { countOperators } from '../../graph/onnx/operatorCounts.js';
import { handedAs, OnnxProbes } from '../../graph/onnx/probes.js';
import { inputsOf } from '../../graph/onnx/surgery.js';
import { type TokenInputs, tokenGraphOf, tokenInputsOf } from '../../graph/onnx/tokenGraph.js';
import { typeOf } from '../../graph/onnx/types.js';
import { LabError } from '../../protocol/errors.js';
import type { Device } from '../device.js';
import { elementOf, type HostTensor } from '../elements.js';
import { type Forward, type ForwardShape, fitInputs, type InputSpec, missingInput, type Pass, type Tensors } from '../forward.js';
import { type ModelOptions, tooLarge } from '../model.js';
import { readDocument } from './document.js';
import { OnnxInside } from './inside.js';
import { layOut } from './layout.js';
import { type GraphLayer, measureBlocks } from './measure.js';
import { fullNames, type NamedValue, ownName } from './names.js';
import { placesOf } from './places.js';
import { type GraphSession, GraphSessions } from './sessions.js';
import { filledIn } from './tokenFeeds.js';

const notATensor = (name: string, kind: string) =>
  new LabError({
    code: 'INPUT_UNSUPPORTED',
    message: `Input ${name} is a ${kind}, and only tensors can be given.`,
    hint: 'Export the model with tensors as inputs.',
  });

/** An ONNX graph as it is in its file, run by ONNX Runtime; every value of it is a probe, what attends and recurs also by the names of blocks. */
export class OnnxForward implements Forward {
  readonly family = 'onnx';
  /** A graph from a file is computed as it says. */
  readonly dtype = 'own';
  readonly inputs: readonly InputSpec[];
  readonly #words: TokenInputs | null;
  readonly #named: ReadonlyMap<string, NamedValue>;
  #layers: readonly GraphLayer[] = [];

  private constructor(
    readonly document: OnnxDocument,
    readonly graph: GraphBlocks,
    private readonly sessions: GraphSessions,
    private readonly device: Device,
    readonly provider: string,
    readonly memory: number,
  ) {
    this.#words = wordsOf(document);
    this.#named = fullNames(graph);
    this.inputs = inputSpecs(document, this.#words);
  }

  /** Errors: ONNX_INVALID, INPUT_UNSUPPORTED, MODEL_TOO_LARGE, RUNTIME_FAILED. */
  static async open(checkpoint: Checkpoint, options: ModelOptions): Promise<OnnxForward> {
    const { device, threads, provider = 'cpu', spinning = false, memoryLimit, inspections: kept } = options;
    const document = await readDocument(checkpoint);
    const size = tensorBytes(checkpoint);
    const available = memoryLimit ?? freemem();
    if (size > available) throw tooLarge(size, available);
    const graph = blocksOf(document);
    const on = { device, threads, provider, spinning, kept, places: await placesOf(checkpoint, document) };
    const sessions = new GraphSessions(new OnnxProbes(document, graph.added, graph.typed), on, true);
    const forward = new OnnxForward(document, graph, sessions, device, provider, size);
    forward.#layers = await forward.#measured();
    return forward;
  }

  /** What the header says. Errors: ONNX_INVALID, INPUT_UNSUPPORTED. */
  static async describe(checkpoint: Checkpoint): Promise<ForwardShape> {
    const document = await readDocument(checkpoint);
    const probes = [...fullNames(blocksOf(document)).keys(), ...new OnnxProbes(document).names];
    const about = { graph: document.graph.name, operators: countOperators(document) };
    return {
      family: 'onnx',
      layers: [],
      inputs: inputSpecs(document, wordsOf(document)),
      outputs: document.outputs,
      probes,
      about,
    };
  }

  get layers(): readonly GraphLayer[] {
    return this.#layers;
  }

  get outputs(): readonly string[] {
    return this.document.outputs;
  }

  get probes(): readonly string[] {
    return [...this.#named.keys(), ...this.values.names];
  }

  get values(): OnnxProbes {
    return this.sessions.probes;
  }

  begin(inputs: Tensors): Pass {
    const given = new Map(fitInputs(this.inputs, inputs));
    for (const [name, tensor] of filledIn(this.#words, given)) given.set(name, tensor);
    const follows = (name: string) => inputsOf(this.document, { outputs: [name] }).every((input) => given.has(input));
    const read: Pass['read'] = (names, signal) => this.#read(given, names, signal);
    const ids = this.#words && given.get(this.#words.ids.name);
    const inside =
      this.#layers.length > 0 && ids?.dims[0] === 1
        ? new OnnxInside(this.#layers, this.#named, ids.dims[1] as number, read)
        : null;
    return { outputs: this.outputs.filter(follows), read, ...(inside && { insides: new Map([['', inside]]) }) };
  }

  close(): Promise<void> {
    return this.sessions.close();
  }

  #read(given: Tensors, names: readonly string[], signal?: AbortSignal): Promise<Tensors> {
    return this.sessions.use(() => this.#computed(given, names, signal));
  }

  async #computed(given: Tensors, names: readonly string[], signal?: AbortSignal): Promise<Tensors> {
    if (names.length === 0) return new Map();
    const valueFor = (name: string) => (this.values.has(name) ? name : (this.#named.get(name)?.value ?? ownName(name)));
    const session = await this.sessions.get([...new Set(names.map(valueFor))]);
    const sinks = Object.fromEntries(
      [...session.outputs.values()].map((output) => [output, [{ kind: 'return', name: output }] as const]),
    );
    const step = { session: session.session, feeds: this.#feeds(session, given), sinks };
    const out = await this.device.run([step], signal ? { signal } : {});
    const tensor = (name: string): HostTensor => {
      const value = valueFor(name);
      const found = out[session.outputs.get(value) as string] as HostTensor;
      const type = this.values.types.get(value) ?? '';
      return handedAs(type) === type ? found : { ...found, own: type };
    };
    return new Map(names.map((name) => [name, this.#named.has(name) ? laidOut(name, this.#named, tensor(name)) : tensor(name)]));
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

  /** Its blocks as two words show them; none for a graph that reads something else. */
  async #measured(): Promise<GraphLayer[]> {
    if (!this.#words || this.graph.blocks.length === 0) return [];
    const ids: HostTensor = { type: 'int64', dims: [1, 2], data: BigInt64Array.of(0n, 1n) };
    const pass = this.begin(new Map([[this.#words.ids.name, ids]]));
    return measureBlocks(this.graph.blocks, async (names) => pass.read(names)).catch(() => []);
  }
}

const blocksOf = (document: OnnxDocument): GraphBlocks => {
  const tokens = tokenGraphOf(document);
  return graphBlocks(document, 'reason' in tokens ? null : tokens);
};

function wordsOf(document: OnnxDocument): TokenInputs | null {
  const words = tokenInputsOf(document);
  return 'reason' in words ? null : words;
}

/** An alias as views know it; of several inputs at once as the graph has it. */
function laidOut(name: string, named: ReadonlyMap<string, NamedValue>, tensor: HostTensor): HostTensor {
  const how = named.get(name) as NamedValue;
  const batch = tensor.dims[how.layout === 'steps' ? 1 : 0] ?? 1;
  if (batch !== 1 && how.layout !== 'steps' && tensor.dims.length > 3) return tensor;
  const { shape, data } = layOut(name, how, tensor);
  return { type: 'float32', dims: shape, data };
}

function inputSpecs(document: OnnxDocument, words: TokenInputs | null): InputSpec[] {
  const made = new Set(words ? [...words.filled.map(({ name }) => name), ...words.states.map(({ input }) => input)] : []);
  return document.inputs.map((name) => {
    const { kind, dtype, shape } = typeOf(document.graph.input.find((input) => input.name === name)?.type);
    const type = elementOf(handedAs(dtype ?? ''));
    if (kind !== 'tensor' || type === null) throw notATensor(name, dtype === null ? kind : `tensor of ${dtype}`);
    // sizes without a name have nothing to do with each other
    const dims = shape?.map((size, axis): Dim => (size === '?' ? `${name}.${axis}` : size)) ?? null;
    return { name, dtype: type, shape: dims, optional: made.has(name) };
  });
}
