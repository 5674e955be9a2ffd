import { type Goal, goals, outcome, type Result } from './goals.js';
import type { Profile } from './profile.js';

/** Operators whose work is what a goal counts. */
const PRODUCTS = new Set(['MatMul', 'FusedMatMul', 'Gemm', 'MatMulNBits', 'MatMulIntegerToFloat', 'DynamicQuantizeMatMul']);
/** Other operators that are named. */
const NAMED = 4;

/** For each goal that is missed: how much of the machine's peak we use, how much the goal would take, and by what our operators spend their time. */
export function boundsTable(results: ReadonlyMap<string, Result>, profiles: ReadonlyMap<string, Profile>): string {
  const rows = goals.flatMap((goal) => {
    const result = results.get(goal.line);
    const found = result && outcome(goal, result);
    if (!result || !found || found.met || found.share === null) return [];
    const ratio = found[result.threads === 1 ? 'cpu' : 'wall'].median;
    const cells = [percent(found.share), percent(found.share * further(goal, ratio)), ...timesOf(profiles.get(goal.line))];
    return [`| ${[goal.work, ...cells].join(' | ')} |`];
  });
  if (rows.length === 0) return '';
  return [
    '## What bounds the goals that are missed',
    '',
    '| work | of the peak, now | of the peak, for the goal | operators: products | the longest others |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

/** How many times as fast the goal would be. */
function further({ reach }: Goal, ratio: number): number {
  if (reach.kind === 'memory' || reach.kind === 'milliseconds') return 1;
  return reach.kind === 'time' ? ratio / reach.most : reach.least / ratio;
}

function timesOf(profile: Profile | undefined): [string, string] {
  if (!profile) return ['not profiled', ''];
  const all = profile.reduce((sum, [, ms]) => sum + ms, 0);
  const others = profile.filter(([op]) => !PRODUCTS.has(op)).sort(([, a], [, b]) => b - a);
  const products = all - others.reduce((sum, [, ms]) => sum + ms, 0);
  const longest = others.slice(0, NAMED).map(([op, ms]) => `${op} ${percent(ms / all)}`);
  return [percent(products / all), longest.join(', ')];
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
