import type { Checkpoint } from '../formats/checkpoint.js';
import { partsOf } from '../graph/segmentParts.js';
import type { Call } from '../graph/sizes.js';
import type { FitWanted, MeasuredParts } from '../protocol/fit.js';
import type { Device } from '../runtime/device.js';
import { dtypeLabel } from '../runtime/model.js';
import { type TimeOptions, timePart } from '../runtime/partTimes.js';
import { bindStacks } from '../runtime/stacks.js';
import { callsOf, headCall } from './fitCalls.js';

export interface MeasureOptions extends Omit<TimeOptions, 'dtype'> {
  readonly device: Device;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Times each segment of a model alone, for the calls that its cost is predicted for. Errors: those of binding and of timePart. */
export async function measureParts(
  checkpoint: Checkpoint,
  { dtype, ...wanted }: FitWanted,
  { device, onProgress, ...options }: MeasureOptions,
): Promise<MeasuredParts> {
  const started = performance.now();
  const { stacks } = await bindStacks(checkpoint);
  const { prefill, decode } = callsOf(stacks, wanted);
  const all = [...stacks].flatMap(([tower, bound]) => partsOf(bound).map((part) => ({ tower, bound, part })));
  const parts: MeasuredParts['parts'][number][] = [];
  for (const { tower, bound, part } of all) {
    const whole = prefill.get(tower) as Call;
    const step = decode?.get(tower);
    const calls = [part === 'head' ? headCall(bound, whole) : whole, ...(step ? [step] : [])];
    const timing = { ...options, dtype };
    const [first, next = null] = await timePart(checkpoint, bound, part, calls, device, timing);
    parts.push({ tower, part, prefill: first as number, decode: next });
    onProgress?.(parts.length, all.length);
  }
  const { threads, provider = 'cpu' } = options;
  return {
    parts,
    threads,
    provenance: {
      model: checkpoint.name,
      dtype: dtypeLabel(checkpoint, dtype),
      probe: `${parts.length} parts, each alone`,
      provider: `${provider}, ${threads} threads`,
      ms: performance.now() - started,
    },
  };
}
