import type { Checkpoint } from '../formats/checkpoint.js';
import { costOf, eachOperator, type OperatorCost } from '../graph/cost.js';
import type { Graph } from '../graph/ir.js';
import type { BoundStack } from '../graph/segment.js';
import { partsOf, segmentOf } from '../graph/segmentParts.js';
import type { Call } from '../graph/sizes.js';
import { LabError } from '../protocol/errors.js';
import type { ComputeType, DtypeChoice, Fit, FitWanted, Machine, PartCost, PhaseCost } from '../protocol/fit.js';
import type { GraphPart } from '../protocol/graph.js';
import { type RunDtype, runDtypes } from '../protocol/models.js';
import { queriesAtOnce } from '../runtime/compile.js';
import { describeLayers, stateBytesAt } from '../runtime/layers.js';
import { dtypeLabel, memoryNeeded, parameterCount, stackUses } from '../runtime/model.js';
import { bindStacks } from '../runtime/stacks.js';
import { planWeights, type Uses } from '../runtime/weightPlan.js';
import { sizeOf } from '../tensor/tensor.js';
import { type CallOf, type Calls, callsOf, headCall } from './fitCalls.js';
import { BYTES, floatType, peakOf, roofOf, type StoredWeights, storedWeights } from './fitWeights.js';

const sizesUnknown = (what: string) =>
  new LabError({
    code: 'SIZES_UNKNOWN',
    message: `What a call costs depends on more than its sizes: ${what}.`,
    hint: 'Memory is told in the list of tensors; measure a run instead.',
  });

export interface FitOptions extends FitWanted {
  readonly machine: Machine;
  /** Free here, bytes. */
  readonly free: number;
}

/** What is asked of a checkpoint and what is known of it, whatever its weights are computed as. */
interface Asked extends FitOptions {
  readonly checkpoint: Checkpoint;
  readonly stacks: ReadonlyMap<string, BoundStack>;
  readonly uses: ReadonlyMap<string, Uses>;
  readonly calls: Calls;
  readonly segments: readonly Built[];
}

/** A segment, and what it has in common with those that are built like it. */
interface Built {
  readonly tower: string;
  readonly bound: BoundStack;
  readonly part: GraphPart;
  readonly graph: Graph;
  readonly shape: string;
}

/**
 * Memory and speed of a model on a machine, predicted from the graph that would run: no family is known here. The head counts for one token of a
 * prompt, since only its last is needed to go on. Errors: those of binding, SIZES_UNKNOWN.
 */
export async function predictFit(checkpoint: Checkpoint, options: FitOptions): Promise<Fit> {
  const started = performance.now();
  const { stacks } = await bindStacks(checkpoint);
  const uses = new Map([...stacks].map(([tower, bound]) => [tower, stackUses(bound)]));
  const calls = known(() => callsOf(stacks, options));
  const asked: Asked = { ...options, checkpoint, stacks, uses, calls, segments: segmentsOf(stacks, options.machine) };
  const predicted = new Map(runDtypes.map((dtype) => [dtype, predictAs(asked, dtype)]));
  const { tokens, batch, dtype, machine } = options;
  const chosen = predicted.get(dtype) as Predicted;
  return {
    parameters: parameterCount(checkpoint),
    stored: storedBytes(checkpoint),
    tokens,
    batch,
    machine,
    image: calls.image,
    text: calls.text,
    choices: [...predicted.values()].map(choiceOf),
    ...chosen,
    provenance: {
      model: checkpoint.name,
      dtype: machine.measured ? dtypeLabel(checkpoint, dtype) : `${dtypeLabel(checkpoint, dtype)}, ${chosen.type}`,
      probe: 'every operator of the graph',
      provider: machine.source,
      ms: performance.now() - started,
    },
  };
}

export type Predicted = Pick<Fit, 'dtype' | 'type' | 'roof' | 'memory' | 'prefill' | 'decode'>;

export const choiceOf = ({ dtype, memory, prefill, decode }: Predicted): DtypeChoice => ({
  dtype,
  weights: memory.weights,
  needed: memory.needed,
  prefill: prefill.seconds,
  decode: decode?.seconds ?? null,
});

/** As they are compiled here; what another machine would run is the same, spelled out. */
function segmentsOf(stacks: ReadonlyMap<string, BoundStack>, { measured }: Machine): Built[] {
  const queries = measured ? queriesAtOnce(measured.provider) : null;
  return [...stacks].flatMap(([tower, bound]) =>
    partsOf(bound).map((part) => {
      const { graph } = segmentOf(bound, part, queries);
      return { tower, bound, part, graph, shape: `${tower}:${part === 'head'}:${shapeKey(graph)}` };
    }),
  );
}

function predictAs(asked: Asked, dtype: RunDtype): Predicted {
  const { checkpoint, machine, uses, calls, segments } = asked;
  const float = floatType(machine, dtype);
  const plans = [...uses.values()].map((of) => planWeights(checkpoint, of, dtype));
  const stored = storedWeights(checkpoint, plans, machine, float);
  const on: On = { machine, float, stored };
  return {
    dtype,
    ...roofOf(checkpoint, stored, machine, float),
    memory: memoryOf(asked, dtype, on),
    prefill: phaseOf(segments, calls.prefill, on),
    decode: calls.decode && phaseOf(segments, calls.decode, on),
  };
}

export function storedBytes(checkpoint: Checkpoint): Record<string, number> {
  const bytes: Record<string, number> = {};
  for (const tensor of checkpoint.tensors.values()) bytes[tensor.dtype] = (bytes[tensor.dtype] ?? 0) + tensor.bytes;
  return bytes;
}

function memoryOf(
  { checkpoint, stacks, uses, calls, tokens, batch, free }: Asked,
  dtype: RunDtype,
  { machine, float, stored }: On,
): Fit['memory'] {
  const size = BYTES[float];
  const each = [...stacks];
  const sum = (of: (tower: string, bound: BoundStack) => number) =>
    each.reduce((total, [tower, bound]) => total + of(tower, bound), 0);
  const weights = machine.measured
    ? sum((tower, bound) => memoryNeeded(checkpoint, bound, dtype, free, uses.get(tower)))
    : [...checkpoint.tensors.values()].reduce((total, { name, shape }) => total + sizeOf(shape) * stored(name).perElement, 0);
  const state = sum((_, bound) => (stateBytesAt(describeLayers(bound), tokens) / 4) * size * batch);
  const kept = (tower: string) => (calls.decode ? tokens : (calls.prefill.get(tower)?.tokens ?? 0));
  const checkpoints = machine.measured
    ? sum((tower, { config }) => (config.layers + 1) * config.dModel * kept(tower) * batch * 4)
    : 0;
  return {
    weights,
    state,
    checkpoints,
    needed: weights + state + checkpoints,
    available: machine.measured ? free : machine.memory,
  };
}

export interface On {
  readonly machine: Machine;
  /** Of what is not whole numbers: state, and what is passed on. */
  readonly float: ComputeType;
  readonly stored: StoredWeights;
}

function phaseOf(segments: readonly Built[], calls: CallOf, on: On): PhaseCost {
  const costs = new Map<string, Omit<PartCost, 'tower' | 'part' | 'structure'>>();
  const first = new Map<string, number>();
  const parts = segments.map(({ tower, bound, part, graph, shape }, index): PartCost => {
    const call = calls.get(tower) as Call;
    const key = JSON.stringify([shape, [...graph.weights.values()].map(({ tensor }) => on.stored(tensor))]);
    const cost = costs.get(key) ?? partCost(graph, part === 'head' ? headCall(bound, call) : call, on);
    costs.set(key, cost);
    const structure = first.get(key) ?? index;
    first.set(key, structure);
    return { tower, part, structure, ...cost };
  });
  const each = [...calls.values()];
  const tokens = each.reduce((n, call) => n + call.tokens, 0);
  return sumOf(parts, tokens, Math.max(...each.map(({ past }) => past)));
}

export function sumOf(parts: readonly PartCost[], tokens: number, past: number): PhaseCost {
  const sum = (of: (part: PartCost) => number) => parts.reduce((n, part) => n + of(part), 0);
  return {
    tokens,
    past,
    flops: sum(({ flops }) => flops),
    bytes: sum(({ bytes }) => bytes),
    seconds: parts.every(({ seconds }) => seconds !== null) ? sum(({ seconds }) => seconds ?? 0) : null,
    parts,
  };
}

/** Equal for graphs of the same operators on the same sizes, whatever block they are of. */
export const shapeKey = ({ nodes, inputs }: Graph): string =>
  JSON.stringify([
    nodes.map(({ op, outputs, inputs: read }) => [op, outputs.map(({ shape }) => shape), read.map((value) => value?.shape)]),
    inputs.map(({ shape }) => shape),
  ]);

/** What needs sizes that no call says is told as an error of its own. */
export function known<T>(of: () => T): T {
  try {
    return of();
  } catch (error) {
    throw error instanceof RangeError ? sizesUnknown(error.message) : error;
  }
}

function partCost(graph: Graph, call: Call, on: On): Omit<PartCost, 'tower' | 'part' | 'structure'> {
  return known(() => {
    const cost = costOf(graph, call, (tensor) => on.stored(tensor).perElement);
    const bytes = cost.weightBytes + ((cost.stateRead + cost.stateWritten + cost.passed) / 4) * BYTES[on.float];
    const flops = cost.matmulFlops + cost.otherFlops;
    const each = (visit: (cost: OperatorCost) => void) =>
      void eachOperator(graph, call, visit, (tensor) => on.stored(tensor).perElement);
    return { tokens: call.tokens, flops, bytes, ...predicted(each, call.tokens, bytes, on) };
  });
}

/**
 * The roofline: a call takes as long as its operations or its bytes, whichever takes longer. On a machine that was measured operator by operator,
 * with what passes between them from the caches and what starting each costs.
 */
export function predicted(
  each: (visit: (cost: OperatorCost) => void) => void,
  tokens: number,
  bytes: number,
  { machine, float, stored }: On,
): Pick<PartCost, 'seconds' | 'bound'> {
  const { bandwidth, measured } = machine;
  const memory = bytes / bandwidth;
  let [computed, seconds]: [number | null, number] = [0, measured?.callSeconds ?? 0];
  const add = ({ matmul, tensor, flops, weights, weightBytes, state, inner, runs }: OperatorCost) => {
    const weight = matmul && tensor !== null ? stored(tensor) : null;
    const peak = peakOf(machine, float, weight);
    computed = computed === null || peak === null ? null : computed + flops / peak;
    if (!measured || peak === null) return;
    const product = weight?.product ? measured.products[weight.product].weights / weight.planes : null;
    const read = (product === null ? weightBytes / bandwidth : weights / product) + state / bandwidth;
    seconds += Math.max(flops / peak, read + inner / measured.innerBandwidth) + runs * measured.operatorSeconds;
  };
  each(add);
  // one token alone is read from memory before it is computed on any machine
  if (computed === null) return tokens === 1 ? { seconds: memory, bound: 'memory' } : { seconds: null, bound: null };
  const bound = computed > memory ? 'compute' : 'memory';
  return { seconds: measured ? seconds : Math.max(computed, memory), bound };
}
