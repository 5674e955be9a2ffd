import { type NodeProto, TensorProto_DataType as T } from '../onnx_pb.js';
import { int, nodeOf } from './attributes.js';
import type { OnnxDocument } from './document.js';
import { unknownValue } from './errors.js';
import { type InnerValue, innerValues, lift } from './lift.js';
import type { Cut, ValueInfo } from './surgery.js';
import { elementType, typeOf } from './types.js';

/** What stands in for a type that the caller cannot take, exactly: a Cast to it is put behind the value, or from it before an input. */
const standIns: Readonly<Record<string, { readonly id: number; readonly type: string }>> = {
  BF16: { id: T.FLOAT, type: 'F32' },
  F8_E4M3: { id: T.FLOAT, type: 'F32' },
  F8_E4M3FNUZ: { id: T.FLOAT, type: 'F32' },
  F8_E5M2: { id: T.FLOAT, type: 'F32' },
  F8_E5M2FNUZ: { id: T.FLOAT, type: 'F32' },
  F8_E8M0: { id: T.FLOAT, type: 'F32' },
  F4: { id: T.FLOAT, type: 'F32' },
  I4: { id: T.INT8, type: 'I8' },
  U4: { id: T.UINT8, type: 'U8' },
  I2: { id: T.INT8, type: 'I8' },
  U2: { id: T.UINT8, type: 'U8' },
};

/** TensorProto.DataType of what stands in for a type; null for one that is handed over as it is. */
export const standInOf = (dtype: string): number | null => standIns[dtype]?.id ?? null;

/** The type a value is handed over in: its own, or one that holds it. */
export const handedAs = (dtype: string): string => standIns[dtype]?.type ?? dtype;

/** Everything of a graph that can be read, and how. */
export class OnnxProbes {
  readonly #inner: ReadonlyMap<string, InnerValue>;
  readonly #made: ReadonlySet<string>;
  /** Element types that are declared, or were found out since. */
  readonly types = new Map<string, string>();

  /** `added`: nodes that give values which the graph does not have; `typed`: those of them that have the type of another value. */
  constructor(
    readonly document: OnnxDocument,
    private readonly added: readonly NodeProto[] = [],
    private readonly typed: ReadonlyMap<string, string> = new Map(),
  ) {
    this.#made = new Set(added.flatMap(({ output }) => output));
    this.#inner = new Map(innerValues(document.graph.node).map((value) => [value.name, value]));
    for (const { name, type } of [...document.graph.valueInfo, ...document.graph.output, ...document.graph.input]) {
      const { dtype } = typeOf(type);
      if (dtype !== null) this.types.set(name, dtype);
    }
  }

  /** Values that nodes compute, then those of every step of loops. */
  get names(): readonly string[] {
    const own = this.document.graph.node.flatMap(({ output }) => output.filter((name) => name !== ''));
    return [...own, ...[...this.#inner.values()].filter(({ blocked }) => blocked === null).map(({ name }) => name)];
  }

  /** Whether a name is a value of the graph, inside or out, that can be asked for. */
  has(name: string): boolean {
    return this.document.origins.has(name) || this.#inner.has(name) || this.#made.has(name);
  }

  /**
   * What a session must compute so that `names` can be handed over, when the values of `from` are given; and the output each of them comes from. Errors: PROBE_UNKNOWN,
   * PROBE_UNREACHABLE.
   */
  cut(
    names: readonly string[],
    from: readonly string[] = [],
  ): { readonly cut: Cut; readonly outputs: ReadonlyMap<string, string> } {
    const changed = new Map<number, NodeProto>();
    const before: NodeProto[] = [];
    const added: NodeProto[] = [...this.added];
    const given = new Map<string, ValueInfo>(from.map((name) => [name, this.#infoOf(name)]));
    const outputs = new Map<string, string>();
    for (const name of names) {
      const inner = this.#inner.get(name);
      if (!this.document.origins.has(name) && !this.#made.has(name)) {
        if (!inner) throw unknownValue(name);
        lift(this.document.graph.node, inner, changed);
      }
      const standIn = standIns[this.types.get(name) ?? ''];
      outputs.set(name, standIn ? handed(name) : name);
      if (standIn) added.push(cast(name, handed(name), standIn.id));
    }
    for (const info of this.document.graph.input) {
      const own = info.type?.value.case === 'tensorType' ? info.type.value.value : null;
      const standIn = standIns[this.types.get(info.name) ?? ''];
      if (!own || !standIn || this.document.origins.get(info.name)?.kind !== 'input') continue;
      before.push(cast(handed(info.name), info.name, own.elemType));
      const type = {
        value: { case: 'tensorType', value: { elemType: standIn.id, ...(own.shape && { shape: own.shape }) } },
      } as const;
      given.set(handed(info.name), { name: handed(info.name), type });
    }
    const typed = [...this.typed].map(([name, like]) => ({ ...this.#infoOf(like), name }));
    return { cut: { outputs: [...outputs.values()], given, before, added, changed, typed }, outputs };
  }

  /** A value as an input: of its type, of any shape. */
  #infoOf(name: string): ValueInfo {
    const elemType = elementType(this.types.get(name) ?? 'F32');
    return { name, type: { value: { case: 'tensorType', value: { elemType } } } };
  }

  /** The name that an input of a session stands for. */
  fed(input: string): string {
    return input.endsWith(handed('')) ? input.slice(0, -handed('').length) : input;
  }
}

/** The input that stands for one of a type that the caller cannot take, and the cast behind it. */
export const handed = (name: string): string => `${name}/handed`;
export const cast = (from: string, to: string, type: number) => nodeOf('Cast', [from], [to], [int('to', type)]);
