import type { ModelInfo } from '../../server/protocol/models.js';
import type { RunInfo } from '../../server/protocol/runs.js';
import { boot, request, select } from '../host.js';

/** A question that needs memory: what all embedded models were trained to answer. */
export const SAMPLE = 'Anna has the red kite. Tom has the green key.\nQ: Who has the red kite?\nA:';

/** For views that have nothing to show: prompts the first embedded model that has what the view shows, and selects the run. */
export async function runSample(fits: (model: ModelInfo) => boolean): Promise<void> {
  for (const path of boot.embedded) {
    const model = await request('models/open', { path });
    if (!fits(model)) continue;
    select({ run: (await start(path, model)).id, token: null });
    return;
  }
}

/** Prompts all embedded models and selects the first run. */
export async function runSamples(): Promise<void> {
  for (const [n, path] of boot.embedded.entries()) {
    const run = await start(path, await request('models/open', { path }));
    if (n === 0) select({ run: run.id, token: null });
  }
}

const start = (path: string, { sampling }: ModelInfo): Promise<RunInfo> =>
  request('runs/start', { path, prompt: SAMPLE, ids: null, chat: false, maxTokens: 24, sampling, branch: null });
