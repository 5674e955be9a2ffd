import type { RunDetail } from '../../server/protocol/runs.js';
import { isOver } from '../frame/liveRuns.js';

/** While the model writes, its prompt is looked at: the picture would change with each token. */
export const settled = (run: RunDetail): RunDetail =>
  isOver(run) ? run : { ...run, tokenInfos: run.tokenInfos.slice(0, run.promptTokens) };
