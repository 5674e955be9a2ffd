import { unreachable } from '../../graph/onnx/errors.js';
import { handedAs, type OnnxProbes } from '../../graph/onnx/probes.js';
import { emitCut } from '../../graph/onnx/surgery.js';
import { elementName } from '../../graph/onnx/types.js';
import { toLabError } from '../../protocol/errors.js';
import type { Compute, Device, Signature, TensorType } from '../device.js';
import { type ElementType, elementOf, elements } from '../elements.js';
import type { Places } from './places.js';

/** Sessions kept open, least recently used first out. */
const KEPT = 12;

/** A graph cut down to some of its values. */
export interface GraphSession {
  readonly session: number;
  /** What must be fed. */
  readonly inputs: readonly string[];
  /** The output that each value asked for comes from. */
  readonly outputs: ReadonlyMap<string, string>;
}

export interface GraphDevice extends Compute {
  readonly device: Device;
  readonly places: Places;
}

interface Loaded {
  readonly session: number;
  readonly outputs: GraphSession['outputs'];
  readonly signature: Signature;
}

/** Sessions of one graph, each for the values somebody asked for together: made when they are asked for, kept while they are in use. */
export class GraphSessions {
  readonly #sessions = new Map<string, Promise<GraphSession>>();

  constructor(
    readonly probes: OnnxProbes,
    private readonly on: GraphDevice,
  ) {}

  /** Errors: PROBE_UNKNOWN, PROBE_UNREACHABLE, RUNTIME_FAILED. */
  async get(names: readonly string[]): Promise<GraphSession> {
    const key = JSON.stringify(names.toSorted());
    const session = this.#sessions.get(key) ?? this.#make(names);
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    session.catch(() => this.#sessions.delete(key));
    for (const [old, oldest] of this.#sessions) {
      if (this.#sessions.size <= KEPT) break;
      this.#sessions.delete(old);
      void oldest.then((found) => this.on.device.release([found.session])).catch(() => undefined);
    }
    return session;
  }

  async close(): Promise<void> {
    const all = await Promise.allSettled(this.#sessions.values());
    await this.on.device.release(all.flatMap((result) => (result.status === 'fulfilled' ? [result.value.session] : [])));
    this.#sessions.clear();
  }

  async #make(names: readonly string[]): Promise<GraphSession> {
    await this.#learnTypes(names);
    const { session, outputs, signature } = await this.#load(names);
    return { session, outputs, inputs: [...signature.inputs.keys()] };
  }

  /**
   * Finds out the types that the model does not declare, as ONNX Runtime infers them. It refuses a session with an output that JavaScript has
   * no type for, saying which type and not which output: halving finds it.
   */
  async #learnTypes(names: readonly string[]): Promise<void> {
    const { types } = this.probes;
    const unknown = names.filter((name) => !types.has(name));
    if (unknown.length === 0) return;
    let loaded: Loaded;
    try {
      loaded = await this.#load(unknown);
    } catch (error) {
      const type = /Unsupported data type: (\d+)/.exec(toLabError(error).message)?.[1];
      if (type === undefined) throw error;
      if (unknown.length === 1) {
        types.set(unknown[0] as string, elementName(Number(type)) ?? `type ${type}`);
        return;
      }
      const middle = unknown.length >> 1;
      await this.#learnTypes(unknown.slice(0, middle));
      await this.#learnTypes(unknown.slice(middle));
      return;
    }
    for (const [name, output] of loaded.outputs) types.set(name, told(loaded.signature.outputs.get(output)));
    await this.on.device.release([loaded.session]);
  }

  async #load(names: readonly string[]): Promise<Loaded> {
    for (const name of names) this.#refuse(name);
    const { cut, outputs } = this.probes.cut(names);
    const { device, places, ...compute } = this.on;
    const model = emitCut(this.probes.document, cut, places.locate);
    const session = await device.load(model, { ...compute, folder: places.folder, prepack: true });
    return { session, outputs, signature: await device.signature(session) };
  }

  #refuse(name: string): void {
    const type = this.probes.types.get(name);
    if (type === undefined || elementOf(handedAs(type)) !== null) return;
    throw unreachable(
      name,
      type === NOT_A_TENSOR ? 'it is a sequence, a map or an optional value' : `it holds ${type}, which no tensor file does`,
    );
  }
}

const NOT_A_TENSOR = 'no tensor';

/** ONNX Runtime's name of a type as safetensors spells it. */
function told(found: TensorType | null | undefined): string {
  if (!found) return NOT_A_TENSOR;
  return Object.hasOwn(elements, found.type) ? elements[found.type as ElementType].dtype : narrow(found.type);
}

/** int4 → I4. Fetching one as it is ends the process. */
const narrow = (type: string): string =>
  type.replace(/^(u?)int(\d+)$/, (_, u: string, bits: string) => `${u === 'u' ? 'U' : 'I'}${bits}`).toUpperCase();
