import { boot, request, select } from '../host.js';

/** A question that needs memory: what all embedded models were trained to answer. */
export const SAMPLE = 'Anna has the red kite. Tom has the green key.\nQ: Who has the red kite?\nA:';

/** For views that have nothing to show: prompts the first embedded model and selects the run. */
export async function runSample(): Promise<void> {
  const path = boot.embedded[0];
  if (path === undefined) return;
  const model = await request('models/open', { path });
  const run = await request('runs/start', {
    path,
    prompt: SAMPLE,
    ids: null,
    chat: false,
    maxTokens: 24,
    sampling: model.sampling,
    branch: null,
  });
  select({ run: run.id, token: null });
}
