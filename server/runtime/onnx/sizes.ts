import type { Dim } from '../../graph/ir.js';
import type { OnnxDocument } from '../../graph/onnx/document.js';
import { cast, handed, OnnxProbes, standInOf } from '../../graph/onnx/probes.js';
import type { Cut, ValueInfo } from '../../graph/onnx/surgery.js';
import { type SizeSymbol, sizeIn } from '../../graph/onnx/symbols.js';
import { type TokenInputs, tokenInputsOf } from '../../graph/onnx/tokenGraph.js';
import { elementName, type SizedValue, typeOf } from '../../graph/onnx/types.js';
import { type NodeProto, TensorProto_DataLocation } from '../../graph/onnx_pb.js';
import { toLabError } from '../../protocol/errors.js';
import type { Device } from '../device.js';
import { GraphSessions } from './sessions.js';

export interface GraphSizes {
  /** Every value that can be read, by the name it is read under; inputs too. */
  readonly values: ReadonlyMap<string, SizedValue>;
  /** Why they are only those that the file declares; null when ONNX Runtime inferred them. */
  readonly declaredOnly: string | null;
}

/** More symbols than this are left as the file spells them. */
const MOST = 5;
/** Sizes to try: far from what models have as widths, and apart enough to be told from each other. Images come in multiples of 32. */
const BATCH = { base: 2, other: 3 } as const;
const TOKENS = { base: 11, other: 18 } as const;
const CACHED = { base: 23, other: 36 } as const;
const SIDE = { base: 224, other: 288 } as const;
const primes = [13, 17, 19, 29, 31] as const;

type Sizes = (name: string) => number;
interface InputSizes {
  readonly symbols: readonly SizeSymbol[];
  /** Sizes of each input when the symbols have these values. */
  of(sizes: Sizes): ReadonlyMap<string, readonly number[]>;
}

/**
 * The sizes of all values in terms of those that are open: B, T (tokens of a call), C.past (cached) and S of a graph of tokens, its own names else.
 * ONNX Runtime infers them, with each open size at two values and the weights as inputs, so that none is read.
 */
export async function graphSizes(document: OnnxDocument, device: Device): Promise<GraphSizes> {
  const inputs = inputSizes(document);
  try {
    return await sizesFor(document, device, inputs);
  } catch (error) {
    // many exporters leave a batch open that only one sequence fits
    const single = { ...inputs, symbols: inputs.symbols.filter(({ name }) => name !== 'B') };
    if (single.symbols.length < inputs.symbols.length)
      return sizesFor(document, device, single).catch(() => declaredSizes(document, inputs, error));
    return declaredSizes(document, inputs, error);
  }
}

/** What a call gives to sizes that a graph leaves open: tokens to all that are neither sequences, cached rows nor sides of an image. */
export interface GraphCall {
  readonly batch: number;
  readonly tokens: number;
  readonly past: number;
  readonly pixels: readonly [number, number];
}

/** The sizes of all values in one call; of those that follow from numbers which only a run makes a name. Errors: RUNTIME_FAILED. */
export async function sizesOfCall(document: OnnxDocument, device: Device, call: GraphCall): Promise<GraphSizes['values']> {
  const inputs = inputSizes(document);
  const of = (name: string): number => {
    const { is = 'tokens', axis = 0 } = inputs.symbols.find((symbol) => symbol.name === name) ?? {};
    return is === 'side' ? (call.pixels[axis] as number) : call[is];
  };
  const given = inputs.of(of);
  const values = new Map(await inferred(document, device, new OnnxProbes(document).names, given));
  for (const { name, type } of document.graph.input)
    values.set(name, { dtype: typeOf(type).dtype, shape: given.get(name) ?? null });
  for (const { name, dataType, dims } of document.graph.initializer)
    values.set(name, { dtype: elementName(dataType), shape: dims.map(Number) });
  return values;
}

/** The open sizes of the inputs, and what they are. */
export const openSizes = (document: OnnxDocument): readonly SizeSymbol[] => inputSizes(document).symbols;

async function sizesFor(document: OnnxDocument, device: Device, inputs: InputSizes): Promise<GraphSizes> {
  const names = new OnnxProbes(document).names;
  const at = (changed: string | null) =>
    inferred(
      document,
      device,
      names,
      inputs.of((name) => sizeAt(inputs.symbols, name, changed)),
    );
  const base = await at(null);
  const others: Inferred[] = [];
  for (const { name } of inputs.symbols) others.push(await at(name));
  const values = new Map<string, SizedValue>();
  for (const [name, { dtype, shape }] of base)
    values.set(name, {
      dtype,
      shape:
        shape?.map((size, axis) =>
          dimOf(
            inputs.symbols,
            size,
            others.map((other) => other.get(name)?.shape?.[axis]),
          ),
        ) ?? null,
    });
  return { values: withInputs(document, values, inputs), declaredOnly: null };
}

function declaredSizes(document: OnnxDocument, inputs: InputSizes, error: unknown): GraphSizes {
  const { graph } = document;
  const values = new Map([...graph.valueInfo, ...graph.output].map(({ name, type }) => [name, typeOf(type)]));
  return { values: withInputs(document, values, inputs), declaredOnly: toLabError(error).message };
}

const sizeAt = (symbols: readonly SizeSymbol[], name: string, changed: string | null): number => {
  const symbol = symbols.find((each) => each.name === name);
  return symbol ? (name === changed ? symbol.other : symbol.base) : 1;
};

/** A size that ONNX Runtime gives a name of its own follows from numbers that only a run makes. */
function dimOf(symbols: readonly SizeSymbol[], size: Dim, others: readonly (Dim | undefined)[]): Dim {
  if (typeof size !== 'number' || !others.every((other) => typeof other === 'number')) return '?';
  return sizeIn(symbols, size, others as number[], (sum) => (sum === 'T+C.past' ? 'S' : sum));
}

function inputSizes(document: OnnxDocument): InputSizes {
  const words = tokenInputsOf(document);
  return 'reason' in words ? namedSizes(document) : tokenSizes(document, words);
}

/** Of a graph of tokens: what each input is given follows from the batch, the tokens of a call and those before it. */
function tokenSizes(document: OnnxDocument, words: TokenInputs): InputSizes {
  const batched = typeof shapeOf(document, words.ids.name)?.[0] === 'string';
  const grows = words.states.some((state) => state.grows !== null);
  const symbols = [
    ...(batched ? [{ name: 'B', is: 'batch', ...BATCH } as const] : []),
    { name: 'T', ...TOKENS },
    ...(grows ? [{ name: 'C.past', is: 'past', ...CACHED } as const] : []),
  ];
  const of = (sizes: Sizes) => {
    const [B, T, C] = [batched ? sizes('B') : 1, sizes('T'), grows ? sizes('C.past') : 0];
    const isBatch = (input: string, axis: number) => typeof shapeOf(document, input)?.[axis] === 'string';
    const all = new Map<string, readonly number[]>([[words.ids.name, [B, T]]]);
    for (const { name, shape } of words.filled) {
      const dims = shape.map((size) => (size === 'new' ? T : size === 'all' ? C + T : size));
      all.set(name, dims.length > 1 && dims[0] === 1 ? [B, ...dims.slice(1)] : dims);
    }
    for (const { input, shape, grows: axis } of words.states)
      all.set(
        input,
        shape.map((size, i) => (i === axis ? C : size === 1 && isBatch(input, i) ? B : size)),
      );
    return all;
  };
  return { symbols, of };
}

const shapeOf = ({ graph }: OnnxDocument, input: string) => typeOf(graph.input.find(({ name }) => name === input)?.type).shape;

/** Of any other graph: the names that it declares for sizes of its inputs. */
function namedSizes(document: OnnxDocument): InputSizes {
  const symbols: SizeSymbol[] = [];
  const shapes = new Map(
    document.inputs.flatMap((input) => {
      const shape = shapeOf(document, input);
      return shape ? [[input, shape.map((size, axis) => (size === '?' ? `${input}.${axis}` : size))] as const] : [];
    }),
  );
  for (const shape of shapes.values())
    for (const [axis, size] of shape.entries()) {
      if (typeof size === 'number' || symbols.some(({ name }) => name === size) || symbols.length === MOST) continue;
      const prime = primes[symbols.length] as number;
      const isSide = shape.length === 4 && axis > 1;
      const pair =
        axis === 0
          ? ({ is: 'batch', ...BATCH } as const)
          : isSide
            ? ({ is: 'side', axis: axis === 2 ? 0 : 1, ...SIDE } as const)
            : { base: prime, other: prime + 7 };
      symbols.push({ name: size, ...pair });
    }
  const known = new Set(symbols.map(({ name }) => name));
  const of = (sizes: Sizes) =>
    new Map(
      [...shapes].map(([input, shape]) => [
        input,
        shape.map((size) => (typeof size === 'number' ? size : known.has(size) ? sizes(size) : 1)),
      ]),
    );
  return { symbols, of };
}

type Inferred = ReadonlyMap<string, SizedValue>;

async function inferred(
  document: OnnxDocument,
  device: Device,
  names: readonly string[],
  inputs: ReadonlyMap<string, readonly number[]>,
): Promise<Inferred> {
  const probes = new OnnxProbes(document);
  const stored = storedInputs(document);
  const without = (cut: Cut): Cut => ({
    ...cut,
    before: [...(cut.before ?? []), ...stored.casts],
    given: new Map([...(cut.given ?? []), ...stored.given, ...sized(document, cut, inputs)]),
  });
  const on = { device, threads: 1, provider: 'cpu', places: { folder: '/', locate: (location: string) => location } };
  const sessions = new GraphSessions(probes, on, false, without);
  try {
    const { types } = await sessions.get(names);
    return new Map(names.map((name) => [name, { dtype: probes.types.get(name) ?? null, shape: types.get(name)?.shape ?? null }]));
  } finally {
    await sessions.close();
  }
}

/** Weights that lie in a file, as inputs with a type and sizes and without numbers. */
function storedInputs({ graph }: OnnxDocument): { readonly given: Map<string, ValueInfo>; readonly casts: readonly NodeProto[] } {
  const given = new Map<string, ValueInfo>();
  const casts: NodeProto[] = [];
  for (const { name, dataType, dataLocation, dims } of graph.initializer) {
    if (dataLocation !== TensorProto_DataLocation.EXTERNAL) continue;
    const standIn = standInOf(elementName(dataType) ?? '');
    const own = standIn === null ? name : handed(name);
    given.set(own, info(own, standIn ?? dataType, dims.map(Number)));
    if (standIn !== null) casts.push(cast(own, name, dataType));
  }
  return { given, casts };
}

/** The inputs, with numbers for the sizes they are open in; under the name of what stands in for one. */
function sized(
  document: OnnxDocument,
  { given }: Cut,
  inputs: ReadonlyMap<string, readonly number[]>,
): (readonly [string, ValueInfo])[] {
  const standIns = new Set(given?.keys());
  return [...inputs].flatMap(([input, dims]) => {
    const own = document.graph.input.find(({ name }) => name === input)?.type?.value;
    if (own?.case !== 'tensorType') return [];
    const other = [...standIns].find((name) => name === handed(input));
    const type = given?.get(other ?? '')?.type?.value;
    const elem = type?.case === 'tensorType' ? (type.value?.elemType ?? own.value.elemType) : own.value.elemType;
    return [[other ?? input, info(other ?? input, elem, dims)] as const];
  });
}

const info = (name: string, elemType: number, dims: readonly number[]): ValueInfo => ({
  name,
  type: {
    value: {
      case: 'tensorType',
      value: { elemType, shape: { dim: dims.map((size) => ({ value: { case: 'dimValue', value: BigInt(size) } })) } },
    },
  },
});

function withInputs(
  document: OnnxDocument,
  values: Map<string, SizedValue>,
  { symbols, of }: InputSizes,
): Map<string, SizedValue> {
  const base = of((name) => sizeAt(symbols, name, null));
  const others = symbols.map((symbol) => of((name) => sizeAt(symbols, name, symbol.name)));
  for (const { name, type } of document.graph.input) {
    const { dtype, shape } = typeOf(type);
    const dims = base.get(name)?.map((size, axis) =>
      dimOf(
        symbols,
        size,
        others.map((other) => other.get(name)?.[axis]),
      ),
    );
    values.set(name, { dtype, shape: dims ?? shape });
  }
  for (const { name, dataType, dims } of document.graph.initializer)
    values.set(name, { dtype: elementName(dataType), shape: dims.map(Number) });
  return values;
}
