import { unreachable } from '../../graph/onnx/errors.js';
import { handedAs, type OnnxProbes } from '../../graph/onnx/probes.js';
import { type Cut, emitCut } from '../../graph/onnx/surgery.js';
import { elementName } from '../../graph/onnx/types.js';
import { toLabError } from '../../protocol/errors.js';
import type { Compute, Device, Signature, TensorType } from '../device.js';
import { type ElementType, elementOf, elements } from '../elements.js';
import { SessionCache } from '../sessionCache.js';
import type { Places } from './places.js';

/** A graph cut down to some of its values. */
export interface GraphSession {
  readonly session: number;
  /** What must be fed. */
  readonly inputs: readonly string[];
  /** The output that each value asked for comes from. */
  readonly outputs: ReadonlyMap<string, string>;
  /** What ONNX Runtime says of each value; null for what is no tensor. */
  readonly types: ReadonlyMap<string, TensorType | null>;
}

export interface GraphDevice extends Compute {
  readonly device: Device;
  readonly places: Places;
  /** Sessions kept open. */
  readonly kept?: number | undefined;
}

interface Loaded {
  readonly session: number;
  readonly outputs: GraphSession['outputs'];
  readonly signature: Signature;
}

/** Sessions of one graph, each for the values somebody asked for together: made when they are asked for, kept while they are in use. */
export class GraphSessions {
  readonly #sessions: SessionCache<GraphSession>;

  constructor(
    readonly probes: OnnxProbes,
    private readonly on: GraphDevice,
    /** Keep packed copies of weights, or work on the mapped file. */
    private readonly prepack: boolean,
    /** What else is done to a graph that was cut. */
    private readonly adjust: (cut: Cut) => Cut = (cut) => cut,
  ) {
    this.#sessions = new SessionCache(on.kept, ({ session }) => on.device.release([session]));
  }

  /** What `work` gets stays open until it ends. */
  use<R>(work: () => Promise<R>): Promise<R> {
    return this.#sessions.use(work);
  }

  /** For `names`, computed from the inputs and from the values `from`. Errors: PROBE_UNKNOWN, PROBE_UNREACHABLE, RUNTIME_FAILED. */
  get(names: readonly string[], from: readonly string[] = []): Promise<GraphSession> {
    return this.#sessions.get(JSON.stringify([names.toSorted(), from.toSorted()]), () => this.#make(names, from));
  }

  close(): Promise<void> {
    return this.#sessions.close();
  }

  async #make(names: readonly string[], from: readonly string[]): Promise<GraphSession> {
    let loaded = await this.#attempt(names, from);
    if (loaded === null || this.#learn(loaded)) {
      if (loaded) await this.on.device.release([loaded.session]);
      loaded = await this.#load(names, from);
    }
    const { session, outputs, signature } = loaded;
    const types = new Map([...outputs].map(([name, output]) => [name, signature.outputs.get(output) ?? null]));
    return { session, outputs, types, inputs: [...signature.inputs.keys()] };
  }

  /**
   * ONNX Runtime refuses a session with an output that JavaScript has no type for, saying which type and not which output: halving finds it.
   * Null when that was so; the types are known then.
   */
  async #attempt(names: readonly string[], from: readonly string[]): Promise<Loaded | null> {
    try {
      return await this.#load(names, from);
    } catch (error) {
      const type = /Unsupported data type: (\d+)/.exec(toLabError(error).message)?.[1];
      const unknown = names.filter((name) => !this.probes.types.has(name));
      if (type === undefined || unknown.length === 0) throw error;
      if (unknown.length === 1) this.probes.types.set(unknown[0] as string, elementName(Number(type)) ?? `type ${type}`);
      else
        for (const half of [unknown.slice(0, unknown.length >> 1), unknown.slice(unknown.length >> 1)]) {
          const loaded = await this.#attempt(half, from);
          if (!loaded) continue;
          this.#learn(loaded);
          await this.on.device.release([loaded.session]);
        }
      return null;
    }
  }

  /** Types that the model does not declare, as ONNX Runtime inferred them. True when one of them cannot be handed over as it is. */
  #learn({ outputs, signature }: Loaded): boolean {
    const { types } = this.probes;
    let foreign = false;
    for (const [name, output] of outputs) {
      if (types.has(name)) continue;
      const type = told(signature.outputs.get(output));
      types.set(name, type);
      foreign ||= handedAs(type) !== type || elementOf(type) === null;
    }
    return foreign;
  }

  async #load(names: readonly string[], from: readonly string[]): Promise<Loaded> {
    for (const name of names) this.#refuse(name);
    const { cut, outputs } = this.probes.cut(names, from);
    const { device, places, kept: _, ...compute } = this.on;
    const model = emitCut(this.probes.document, this.adjust(cut), places.locate);
    const session = await device.load(model, { ...compute, folder: places.folder, prepack: this.prepack });
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
