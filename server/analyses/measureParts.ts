import type { Checkpoint } from '../formats/checkpoint.js';
import { partsOf, segmentOf } from '../graph/segmentParts.js';
import type { MeasuredParts } from '../protocol/fit.js';
import type { Device } from '../runtime/device.js';
import { type TimeOptions, timePart } from '../runtime/partTimes.js';
import { bindStacks } from '../runtime/stacks.js';
import { callsOf, type FitOptions } from './fit.js';

export interface MeasureOptions extends TimeOptions {
  readonly device: Device;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Times each segment of a model alone, for the calls that its cost is predicted for. Errors: those of binding and of timePart. */
export async function measureParts(
  checkpoint: Checkpoint,
  wanted: Pick<FitOptions, 'tokens' | 'batch'>,
  { device, onProgress, ...options }: MeasureOptions,
): Promise<MeasuredParts> {
  const started = performance.now();
  const { stacks } = await bindStacks(checkpoint);
  const { prefill, decode } = callsOf(wanted);
  const all = [...stacks].flatMap(([tower, bound]) => partsOf(bound).map((part) => ({ tower, bound, part })));
  const parts: MeasuredParts['parts'][number][] = [];
  for (const { tower, bound, part } of all) {
    const calls = [part === 'head' ? { ...prefill, tokens: 1 } : prefill, decode];
    const [first, next] = await timePart(checkpoint, bound, segmentOf(bound, part), calls, device, options);
    parts.push({ tower, part, prefill: first as number, decode: next as number });
    onProgress?.(parts.length, all.length);
  }
  const { threads, provider = 'cpu' } = options;
  return {
    parts,
    threads,
    provenance: {
      model: checkpoint.name,
      dtype: 'fp32',
      probe: `${parts.length} parts, each alone`,
      provider: `${provider}, ${threads} threads`,
      ms: performance.now() - started,
    },
  };
}
