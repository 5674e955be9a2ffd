import { boot, request, select } from '../host.js';

/** A question that needs memory: what all embedded models were trained to answer. */
export const SAMPLE = 'Anna has the red kite. Tom has the green key.\nQ: Who has the red kite?\nA:';

/** For views that have nothing to show: prompts embedded models (by default the first) and selects the first run. */
export async function runSample(paths: readonly string[] = boot.embedded.slice(0, 1)): Promise<void> {
  for (const [n, path] of paths.entries()) {
    const { sampling } = await request('models/open', { path });
    const run = await request('runs/start', {
      path,
      prompt: SAMPLE,
      ids: null,
      chat: false,
      maxTokens: 24,
      sampling,
      branch: null,
    });
    if (n === 0) select({ run: run.id, token: null });
  }
}
