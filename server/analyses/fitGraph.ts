import { type Checkpoint, tensorBytes } from '../formats/checkpoint.js';
import type { OperatorCost } from '../graph/cost.js';
import { eachFileOperator, passedBytes, type SizedPart } from '../graph/onnx/cost.js';
import type { GraphDrawing } from '../graph/onnx/drawing.js';
import { tokenInputsOf } from '../graph/onnx/tokenGraph.js';
import type { Fit, FitWanted, MeasuredParts, PartCost, PhaseCost } from '../protocol/fit.js';
import type { Device } from '../runtime/device.js';
import { parameterCount } from '../runtime/model.js';
import { type DrawnGraph, drawnAt, drawnGraph } from '../runtime/onnx/drawing.js';
import { graphMemory } from '../runtime/onnx/sequenceModel.js';
import { type GraphCall, openSizes, sizesOfCall } from '../runtime/onnx/sizes.js';
import { timeGraphParts } from '../runtime/onnx/timeParts.js';
import { CHUNK } from '../runtime/run.js';
import { sizeOf } from '../tensor/tensor.js';
import { choiceOf, type FitOptions, known, type On, predicted, shapeKey, storedBytes, sumOf } from './fit.js';
import { BYTES, floatType, peakOf, type StoredWeight } from './fitWeights.js';
import type { MeasureOptions } from './measureParts.js';

/** Of a graph that reads images of any size. */
const SIDES = [224, 224] as const;

/** The calls of a graph from a file: as many tokens as one call of it reads at once, and one more behind all where it keeps a cache. */
export interface GraphCalls {
  readonly prefill: GraphCall;
  readonly decode: GraphCall | null;
  readonly image: Fit['image'];
  readonly text: boolean;
}

/** Which sizes are asked follows from which the graph leaves open. */
export function graphCalls({ document }: Pick<DrawnGraph, 'document'>, { tokens, batch, pixels }: FitWanted): GraphCalls {
  const open = openSizes(document);
  const has = (is: 'batch' | 'past' | 'side') => open.some((size) => size.is === is);
  const words = tokenInputsOf(document);
  const state = 'reason' in words ? [] : words.states;
  const of = { batch: has('batch') ? batch : 1, pixels: pixels ?? SIDES };
  const cached = has('past');
  const chunk = cached ? Math.min(CHUNK, tokens) : tokens;
  const prefill = { ...of, tokens: chunk, past: cached ? Math.floor((tokens - chunk) / 2) : 0 };
  const decode = state.length > 0 ? { ...of, tokens: 1, past: cached ? Math.max(0, tokens - 1) : 0 } : null;
  const [height, width] = of.pixels;
  return {
    prefill,
    decode,
    image: has('side') ? { height, width, free: true } : null,
    text: open.some(({ is }) => is === undefined),
  };
}

/**
 * The same for a graph from a file: what its nodes read and compute in the sizes that ONNX Runtime infers for the two calls. It says itself in
 * what it computes. Errors: those of drawnGraph, RUNTIME_FAILED, SIZES_UNKNOWN.
 */
export async function predictGraphFit(
  checkpoint: Checkpoint,
  { device, ...options }: FitOptions & { readonly device: Device },
): Promise<Fit> {
  const started = performance.now();
  const drawn = await drawnGraph(checkpoint, device);
  const calls = graphCalls(drawn, options);
  const { machine, tokens, free } = options;
  const sized = async (call: GraphCall) => drawnAt(drawn, await sizesOfCall(drawn.document, device, call));
  const [prefill, decode] = [await sized(calls.prefill), calls.decode && (await sized(calls.decode))];
  const float = floatType(machine, 'own');
  const weights = machine.measured ? graphMemory(checkpoint) : tensorBytes(checkpoint);
  const on: On = { machine, float, stored: storedIn(checkpoint, prefill) };
  const state = decode ? stateBytes(decode) : 0;
  const kept = machine.measured && decode ? (prefill.parts.length - 1) * streamWidth(decode) * tokens * 4 : 0;
  const memory = {
    weights,
    state,
    checkpoints: kept,
    needed: weights + state + kept,
    available: machine.measured ? free : machine.memory,
  };
  const whole = {
    dtype: 'own' as const,
    type: float,
    roof: { bandwidth: machine.bandwidth, peak: peakOf(machine, float, null) },
    memory,
    prefill: phase(checkpoint, prefill, calls.prefill, on),
    decode: decode && phase(checkpoint, decode, calls.decode as GraphCall, on),
  };
  return {
    parameters: parameterCount(checkpoint),
    stored: storedBytes(checkpoint),
    tokens,
    batch: calls.prefill.batch,
    machine,
    image: calls.image,
    text: calls.text,
    choices: [choiceOf(whole)],
    ...whole,
    provenance: {
      model: checkpoint.name,
      dtype: 'as the graph says',
      probe: 'every node of the graph, in the sizes of the call',
      provider: machine.source,
      ms: performance.now() - started,
    },
  };
}

/** Times each part of a graph from a file alone, for the calls that its cost is predicted for. Errors: those of drawnGraph and timeGraphParts. */
export async function measureGraphParts(
  checkpoint: Checkpoint,
  wanted: FitWanted,
  { device, onProgress, ...options }: MeasureOptions,
): Promise<MeasuredParts> {
  const started = performance.now();
  const drawn = await drawnGraph(checkpoint, device);
  const calls = graphCalls(drawn, wanted);
  const { parts } = drawn.drawing;
  const total = parts.length * (calls.decode ? 2 : 1);
  let done = 0;
  const onPart = () => onProgress?.(++done, total);
  const time = (call: GraphCall) => timeGraphParts(checkpoint, drawn, call, device, { ...options, onPart });
  const [prefill, decode] = [await time(calls.prefill), calls.decode && (await time(calls.decode))];
  const { threads, provider = 'cpu' } = options;
  return {
    parts: parts.map((part, i) => ({ tower: '', part, prefill: prefill[i] as number, decode: decode?.[i] ?? null })),
    threads,
    provenance: {
      model: checkpoint.name,
      dtype: 'as the graph says',
      probe: `${parts.length} parts, each alone`,
      provider: `${provider}, ${threads} threads`,
      ms: performance.now() - started,
    },
  };
}

function phase(checkpoint: Checkpoint, drawing: GraphDrawing, { batch, tokens, past }: GraphCall, on: On): PhaseCost {
  const first = new Map<string, number>();
  const bytesOf = (tensor: string) => checkpoint.tensors.get(tensor)?.bytes ?? 0;
  const parts = drawing.parts.map((part, index): PartCost => {
    const built = drawing.part(index) as SizedPart;
    const key = `${part === 'head'}:${shapeKey(built.graph)}`;
    const structure = first.get(key) ?? index;
    first.set(key, structure);
    return known(() => {
      let [flops, weights] = [0, 0];
      const each = (visit: (cost: OperatorCost) => void) => eachFileOperator(built, bytesOf, visit);
      each((cost) => {
        flops += cost.flops;
        weights += cost.weightBytes;
      });
      const { state, other } = passedBytes(built);
      const bytes = weights + state + other;
      return { tower: '', part, structure, tokens, flops, bytes, ...predicted(each, batch * tokens, bytes, on) };
    });
  });
  return sumOf(parts, tokens, past);
}

/** How products read their tensors: whole numbers in blocks, in bytes, or numbers as they are stored. */
function storedIn(checkpoint: Checkpoint, drawing: GraphDrawing): On['stored'] {
  const how = new Map<string, StoredWeight>();
  for (const index of drawing.parts.keys()) {
    const { graph } = drawing.part(index);
    for (const { op, inputs, attributes } of graph.nodes) {
      const weight = inputs.map((value) => graph.weights.get(value?.name ?? '')).find((found) => found !== undefined);
      const entry = weight && checkpoint.tensors.get(weight.tensor);
      if (!entry) continue;
      const packed = op === 'MatMulNBits' ? Number(attributes.K) * Number(attributes.N) : sizeOf(entry.shape);
      const product =
        op === 'MatMulNBits'
          ? attributes.accuracy_level === 4
            ? 'int4'
            : 'own4'
          : /Integer|^QLinear|^QGemm|Quantize/.test(op)
            ? 'int8'
            : null;
      how.set(entry.name, { perElement: entry.bytes / packed, product, planes: 1 });
    }
  }
  return (tensor) => how.get(tensor) ?? { perElement: BYTES.fp32, product: null, planes: 1 };
}

/** Of the cache behind the last token. */
function stateBytes(drawing: GraphDrawing): number {
  const parts = [...drawing.parts.keys()].map((index) => drawing.part(index) as SizedPart);
  return known(() => parts.reduce((sum, part) => sum + passedBytes(part).state, 0)) / 2;
}

/** Of what passes from part to part. */
const streamWidth = (drawing: GraphDrawing): number => {
  const width = drawing.part(0).graph.outputs.get('resid.next')?.shape.at(-1);
  return typeof width === 'number' ? width : 0;
};
