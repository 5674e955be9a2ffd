import type { Checkpoint } from '../formats/checkpoint.js';
import { addNorms } from '../graph/addNorms.js';
import { emitOnnx } from '../graph/emit.js';
import type { Value } from '../graph/ir.js';
import { forOneToken } from '../graph/oneToken.js';
import { type BoundStack, buildSegment, type Segment } from '../graph/segment.js';
import { type BuiltPart, segmentOf } from '../graph/segmentParts.js';
import { type Call, keptIn } from '../graph/sizes.js';
import { keepsOfDim } from '../graph/state.js';
import { weightUses } from '../graph/uses.js';
import { assertSound } from '../graph/verify.js';
import { cancelled } from '../protocol/errors.js';
import { rowsKept } from '../protocol/keeps.js';
import type { RunDtype } from '../protocol/models.js';
import { queriesAtOnce } from './compile.js';
import { type Compute, type Device, type Feed, f32, i64, type Program } from './device.js';
import { inputRole } from './feeds.js';
import { steppingOf } from './model.js';
import { readsInBytes } from './multipliesBytes.js';
import { dialectOf } from './providers.js';
import { timed } from './timed.js';
import { planWeights } from './weightPlan.js';
import { WeightStore } from './weights.js';

export interface TimeOptions extends Compute {
  /** Default: own. */
  readonly dtype?: RunDtype;
  readonly signal?: AbortSignal;
}

/**
 * Seconds that a segment of a checkpoint takes for each call: the best of rounds, one after the other, with numbers of no meaning in the right
 * shapes. Its weights alone are loaded, packed as a generating session packs them, and released. Errors: DISK_FULL, RUNTIME_FAILED, CANCELLED.
 */
export async function timePart(
  checkpoint: Checkpoint,
  bound: BoundStack,
  part: BuiltPart,
  calls: readonly Call[],
  device: Device,
  { signal, dtype = 'own', ...compute }: TimeOptions,
): Promise<number[]> {
  const goOn = () => {
    if (signal?.aborted) throw cancelled();
  };
  goOn();
  const { provider = 'cpu' } = compute;
  const queries = queriesAtOnce(provider);
  const [whole, inBlocks] = [segmentOf(bound, part), segmentOf(bound, part, queries)];
  const bytes = await readsInBytes(device, dtype, provider);
  const plan = planWeights(checkpoint, weightUses(whole.graph), dtype, bytes);
  const weights = await WeightStore.open(checkpoint, plan, goOn);
  try {
    const times: number[] = [];
    for (const call of calls) {
      // as a model compiles it: see steppingOf
      const alone = call.tokens === 1 && call.batch === 1 ? steppingOf(checkpoint, bound, dtype, plan) : null;
      const prepack = alone !== 'mapped' || provider !== 'cpu';
      const segment = alone ? buildSegment(bound, { ...whole.spec, single: true }) : inBlocks;
      const { graph } = segment;
      assertSound(graph);
      const model = emitOnnx(alone && provider === 'cpu' ? addNorms(forOneToken(graph)) : graph, {
        place: weights.place,
        weights: prepack ? 'prepack' : 'map',
        dialect: dialectOf(provider),
        many: !alone,
        ...(alone && { sizes: { B: 1, T: 1 } }),
      });
      const session = await device.load(model, { ...compute, folder: weights.folder, prepack, arena: true });
      try {
        times.push(await timed(device, stepOf(segment, bound, session, call), signal));
      } finally {
        await device.release([session]);
      }
    }
    return times;
  } finally {
    await weights.close();
  }
}

function stepOf(segment: Segment, { config }: BoundStack, session: number, call: Call): Program[number] {
  const { graph } = segment;
  const feeds = Object.fromEntries(graph.inputs.map((input) => [input.name, feedOf(input, segment, config, call)]));
  const sinks = Object.fromEntries([...graph.outputs.keys()].map((name) => [name, [{ kind: 'register', name } as const]]));
  return { session, feeds, sinks };
}

/** Numbers as a run would give them: ids within the vocabulary, small values, as many cached rows as there are earlier tokens; no padding. */
function feedOf({ name, dtype, shape }: Value, { graph, given }: Segment, config: BoundStack['config'], call: Call): Feed {
  const { role } = inputRole(name);
  if (role === 'kept') return { kind: 'tensor', tensor: i64([1], [keptIn(graph, name, call.past)]) };
  if (role === 'past') return { kind: 'tensor', tensor: i64([1], [call.past]) };
  if (role === 'reach')
    return { kind: 'tensor', tensor: i64([call.tokens], new Array(call.tokens).fill(call.past + call.tokens)) };
  const sizes = shape.map((size) => {
    if (typeof size === 'number') return size;
    if (size === 'B') return call.batch;
    // a kv array has at least one row, empty or not
    if (size.startsWith('C.')) return Math.max(1, rowsKept(keepsOfDim(size), call.past));
    return call.sizes?.[size] ?? call.tokens;
  });
  const count = sizes.reduce((n, d) => n * d, 1);
  if (dtype === 'i64') {
    const vocab = 'vocab' in config ? (config.vocab as number) : 1;
    const usual = given.find((input) => name === `given.${input.name}`)?.otherwise ?? null;
    return {
      kind: 'tensor',
      tensor: i64(
        sizes,
        Array.from({ length: count }, (_, i) => usual ?? (i * 7919) % vocab),
      ),
    };
  }
  return {
    kind: 'tensor',
    tensor: f32(
      sizes,
      Float32Array.from({ length: count }, (_, i) => Math.sin(i) / 4),
    ),
  };
}
