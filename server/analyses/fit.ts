import type { Checkpoint } from '../formats/checkpoint.js';
import { costOf, eachOperator, type OperatorCost } from '../graph/cost.js';
import type { Graph } from '../graph/ir.js';
import type { BoundStack } from '../graph/segment.js';
import { partsOf, segmentOf } from '../graph/segmentParts.js';
import type { Call } from '../graph/sizes.js';
import { LabError } from '../protocol/errors.js';
import type { ComputeType, Fit, Machine, PartCost, PhaseCost } from '../protocol/fit.js';
import { describeLayers, stateBytesAt } from '../runtime/layers.js';
import { memoryNeeded, parameterCount, weightPlan } from '../runtime/model.js';
import { bindStacks } from '../runtime/stacks.js';
import { bytesPerElement } from '../runtime/weightPlan.js';

const sizesUnknown = (what: string) =>
  new LabError({
    code: 'SIZES_UNKNOWN',
    message: `What a call costs depends on more than its tokens: ${what}.`,
    hint: 'Memory and speed are predicted for models that read tokens.',
  });

/** Tokens of one prefill call: what the engine uses. */
export const CHUNK = 256;

const BYTES: Readonly<Record<ComputeType, number>> = { fp32: 4, fp16: 2, bf16: 2, int8: 1 };

export interface FitOptions {
  /** Tokens of the context. */
  readonly tokens: number;
  readonly batch: number;
  readonly machine: Machine;
  /** Free here, bytes. */
  readonly free: number;
}

/** The two calls that are looked at: a chunk in the middle of the prompt, whose cost is the mean of all, and one more token at its end. */
export function callsOf({ tokens, batch }: Pick<FitOptions, 'tokens' | 'batch'>): {
  readonly prefill: Call;
  readonly decode: Call;
} {
  const chunk = Math.min(CHUNK, tokens);
  return {
    prefill: { batch, tokens: chunk, past: Math.floor((tokens - chunk) / 2) },
    decode: { batch, tokens: 1, past: Math.max(0, tokens - 1) },
  };
}

/** The best type that the machine publishes a peak for; here everything is computed in fp32. */
const typeOf = ({ flops, measured }: Machine): ComputeType =>
  measured ? 'fp32' : flops.bf16 ? 'bf16' : flops.fp16 || flops.fp32 === undefined ? 'fp16' : 'fp32';

/**
 * Memory and speed of a model on a machine, predicted from the graph that would run: no family is known here. The head counts for one token of a
 * prompt, since only its last is needed to go on. Errors: those of binding, SIZES_UNKNOWN.
 */
export async function predictFit(checkpoint: Checkpoint, options: FitOptions): Promise<Fit> {
  const started = performance.now();
  const { tokens, batch, machine } = options;
  const { stacks } = await bindStacks(checkpoint);
  const type = typeOf(machine);
  const calls = callsOf(options);
  const perElement = elementBytes(checkpoint, stacks, machine, type);
  const phase = (call: Call): PhaseCost => phaseOf(stacks, call, { machine, type, perElement });
  return {
    parameters: parameterCount(checkpoint),
    stored: storedBytes(checkpoint),
    tokens,
    batch,
    machine,
    type,
    memory: memoryOf(checkpoint, stacks, options, type),
    prefill: phase(calls.prefill),
    decode: phase(calls.decode),
    provenance: {
      model: checkpoint.name,
      dtype: type,
      probe: 'every operator of the graph',
      provider: machine.source,
      ms: performance.now() - started,
    },
  };
}

type PerElement = (tensor: string) => number;

/** Here weights are run as they are prepared to be, fp32 or their own blocks; elsewhere in the machine's best type. */
function elementBytes(
  checkpoint: Checkpoint,
  stacks: ReadonlyMap<string, BoundStack>,
  { measured }: Machine,
  type: ComputeType,
): PerElement {
  if (!measured) return () => BYTES[type];
  const each = [...stacks.values()].map((bound) => bytesPerElement(checkpoint, weightPlan(checkpoint, bound)));
  // a tensor that one stack does not use is not in its plan, and counts as fp32 there
  return (tensor) => Math.min(...each.map((bytes) => bytes(tensor)));
}

function storedBytes(checkpoint: Checkpoint): Record<string, number> {
  const bytes: Record<string, number> = {};
  for (const tensor of checkpoint.tensors.values()) bytes[tensor.dtype] = (bytes[tensor.dtype] ?? 0) + tensor.bytes;
  return bytes;
}

function memoryOf(
  checkpoint: Checkpoint,
  stacks: ReadonlyMap<string, BoundStack>,
  { tokens, batch, machine, free }: FitOptions,
  type: ComputeType,
): Fit['memory'] {
  const size = BYTES[type];
  const each = [...stacks.values()];
  const weights = machine.measured
    ? each.reduce((sum, bound) => sum + memoryNeeded(checkpoint, bound, 'own'), 0)
    : parameterCount(checkpoint) * size;
  const state = each.reduce((sum, bound) => sum + (stateBytesAt(describeLayers(bound), tokens) / 4) * size * batch, 0);
  const checkpoints = machine.measured
    ? each.reduce((sum, { config }) => sum + (config.layers + 1) * config.dModel * tokens * batch * 4, 0)
    : 0;
  return {
    weights,
    state,
    checkpoints,
    needed: weights + state + checkpoints,
    available: machine.measured ? free : machine.memory,
  };
}

interface On {
  readonly machine: Machine;
  readonly type: ComputeType;
  readonly perElement: PerElement;
}

function phaseOf(stacks: ReadonlyMap<string, BoundStack>, call: Call, on: On): PhaseCost {
  const known = new Map<string, Omit<PartCost, 'tower' | 'part' | 'structure'>>();
  const first = new Map<string, number>();
  let index = 0;
  const parts = [...stacks].flatMap(([tower, bound]) =>
    partsOf(bound).map((part): PartCost => {
      const { graph } = segmentOf(bound, part);
      const key = shapeKey(graph, on.perElement);
      const cost = known.get(key) ?? partCost(graph, part === 'head' ? { ...call, tokens: 1 } : call, on);
      known.set(key, cost);
      const structure = first.get(key) ?? index;
      first.set(key, structure);
      index++;
      return { tower, part, structure, ...cost };
    }),
  );
  const sum = (of: (part: PartCost) => number) => parts.reduce((n, part) => n + of(part), 0);
  return {
    tokens: call.tokens,
    past: call.past,
    flops: sum(({ flops }) => flops),
    bytes: sum(({ bytes }) => bytes),
    seconds: parts.every(({ seconds }) => seconds !== null) ? sum(({ seconds }) => seconds ?? 0) : null,
    parts,
  };
}

/** Equal for graphs of the same operators on the same sizes, whatever block they are of. */
const shapeKey = ({ nodes, inputs, weights }: Graph, perElement: PerElement): string =>
  JSON.stringify([
    [...weights.values()].map(({ tensor }) => perElement(tensor)),
    nodes.map(({ op, outputs, inputs: read }) => [op, outputs.map(({ shape }) => shape), read.map((value) => value?.shape)]),
    inputs.map(({ shape }) => shape),
  ]);

function partCost(graph: Graph, call: Call, on: On): Omit<PartCost, 'tower' | 'part' | 'structure'> {
  try {
    const cost = costOf(graph, call, on.perElement);
    const bytes = cost.weightBytes + ((cost.stateRead + cost.stateWritten + cost.passed) / 4) * BYTES[on.type];
    const flops = cost.matmulFlops + cost.otherFlops;
    return { flops, bytes, ...predicted(graph, call, on, { flops, bytes }) };
  } catch (error) {
    throw error instanceof RangeError ? sizesUnknown(error.message) : error;
  }
}

/**
 * The roofline: a call takes as long as its operations or its bytes, whichever takes longer. On a machine that was measured operator by operator,
 * with what passes between them from the caches and what starting each costs.
 */
function predicted(
  graph: Graph,
  call: Call,
  { machine: { flops: peaks, bandwidth, measured }, type, perElement }: On,
  { flops, bytes }: Pick<PartCost, 'flops' | 'bytes'>,
): Pick<PartCost, 'seconds' | 'bound'> {
  const peak = peaks[type];
  // one token alone is read from memory before it is computed on any machine
  if (peak === undefined)
    return call.tokens === 1 ? { seconds: bytes / bandwidth, bound: 'memory' } : { seconds: null, bound: null };
  const bound = flops / peak > bytes / bandwidth ? 'compute' : 'memory';
  if (!measured) return { seconds: Math.max(flops / peak, bytes / bandwidth), bound };
  let seconds = 0;
  const add = (operator: OperatorCost) => {
    const memory = (operator.weightBytes + operator.state) / bandwidth + operator.inner / measured.innerBandwidth;
    seconds += Math.max(operator.flops / peak, memory) + operator.runs * measured.operatorSeconds;
  };
  eachOperator(graph, call, add, perElement);
  return { seconds, bound };
}
