import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { HostTensor, Program, RunOptions } from '../../../server/runtime/device.js';
import type { Model, ModelOptions } from '../../../server/runtime/model.js';
import { LocalDevice } from '../../../server/runtime/sessions.js';
import type { Sample } from './measure.js';
import { results } from './report.js';

/** An event of ONNX Runtime's trace; microseconds. */
export interface TraceEvent {
  readonly cat: string;
  readonly name: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: Readonly<{ op_name?: string }>;
}

export interface Operators {
  readonly ms: number;
  /** If every node always took what it took when it was fastest: what a machine without other work would need. */
  readonly best: number;
  readonly count: number;
}

/** Milliseconds by operator, as they are written beside the table. */
export type Profile = readonly (readonly [op: string, ms: number])[];

/** The operators of their bodies are counted by themselves. */
const CONTROL = new Set(['Scan', 'Loop', 'If']);

/** Pieces of work that are profiled, after one that warms up. */
const TIMES = 5;

/** A piece of work on a model; a piece is `parts` of what is reported. */
export interface Profiled {
  readonly id: string;
  readonly what: string;
  readonly parts: number;
  readonly work: (model: Model) => Promise<() => Promise<Sample>>;
}

/** Counts how often each session ran, so that traces can be cut where the measurement began. */
class CountingDevice extends LocalDevice {
  readonly runs = new Map<number, number>();

  override run(program: Program, options?: RunOptions): Promise<Record<string, HostTensor>> {
    for (const { session } of program) this.runs.set(session, (this.runs.get(session) ?? 0) + 1);
    return super.run(program, options);
  }
}

/** Time of operators by type over the traces of sessions, of each without its first `skip` runs, divided by `parts`; the longest first. */
export function byOperator(
  traces: readonly { readonly events: readonly TraceEvent[]; readonly skip: number }[],
  parts: number,
): ReadonlyMap<string, Operators> {
  const sums = new Map<string, Operators>();
  for (const { events, skip } of traces) {
    const nodes = new Map<string, { op: string; ms: number; least: number; runs: number }>();
    const starts = events.filter(({ cat, name }) => cat === 'Session' && name === 'model_run').map(({ ts }) => ts);
    const begin = starts.sort((a, b) => a - b)[skip] ?? Number.POSITIVE_INFINITY;
    for (const { cat, name, ts, dur, args } of events) {
      if (cat !== 'Node' || !name.endsWith('_kernel_time') || ts < begin) continue;
      const op = args?.op_name ?? 'unknown';
      if (CONTROL.has(op)) continue;
      const { ms, least, runs } = nodes.get(name) ?? { ms: 0, least: dur, runs: 0 };
      nodes.set(name, { op, ms: ms + dur / 1000, least: Math.min(least, dur), runs: runs + 1 });
    }
    for (const node of nodes.values()) {
      const { ms, best, count } = sums.get(node.op) ?? { ms: 0, best: 0, count: 0 };
      const least = (node.runs * node.least) / 1000 / parts;
      sums.set(node.op, { ms: ms + node.ms / parts, best: best + least, count: count + node.runs / parts });
    }
  }
  return new Map([...sums].sort(([, a], [, b]) => b.ms - a.ms));
}

/** Does the work on a model that writes what its operators take, and prints the table. */
export async function profile(
  open: (options: Pick<ModelOptions, 'device' | 'profile'>) => Promise<Model>,
  { id, what, parts, work }: Profiled,
): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'model-lab-profile-'));
  const device = new CountingDevice();
  try {
    const model = await open({ device, profile: path.join(folder, 'session') });
    const piece = await work(model);
    await piece();
    const before = new Map(device.runs);
    let wall = 0;
    for (let i = 0; i < TIMES; i++) wall += (await piece()).wall / TIMES;
    await model.close();
    const traces = (await readdir(folder)).map(async (file) => ({
      events: JSON.parse(await readFile(path.join(folder, file), 'utf8')) as TraceEvent[],
      skip: before.get(Number(/^session(\d+)_/.exec(file)?.[1])) ?? 0,
    }));
    const found = byOperator(await Promise.all(traces), TIMES * parts);
    const text = table(what, found, wall);
    const operators: Profile = [...found].map(([op, { ms }]) => [op, ms]);
    console.log(`\n${text}`);
    await mkdir(results, { recursive: true });
    await writeFile(path.join(results, `${id}.profile.md`), text);
    await writeFile(path.join(results, `${id}.profile.json`), JSON.stringify(operators));
  } finally {
    await device.close();
    await rm(folder, { recursive: true });
  }
}

function table(what: string, operators: ReadonlyMap<string, Operators>, wall: number): string {
  const inside = [...operators.values()].reduce((sum, { ms }) => sum + ms, 0);
  const best = [...operators.values()].reduce((sum, each) => sum + each.best, 0);
  const row = (name: string, ms: number, count: string, least: number | null) =>
    `| ${name} | ${count} | ${ms.toFixed(3)} | ${((100 * ms) / wall).toFixed(1)} | ${least?.toFixed(3) ?? ''} |`;
  return [
    `### Where the time goes: ${what}`,
    '',
    '| operator | runs | ms | % of the time | ms when each node is fastest |',
    '|---|---|---|---|---|',
    ...[...operators].map(([name, each]) => row(name, each.ms, each.count.toFixed(each.count < 10 ? 1 : 0), each.best)),
    row('between operators and sessions', wall - inside, '', null),
    row('all', wall, '', best),
    '',
    'With the profiler on, which itself takes time at every operator.',
    '',
  ].join('\n');
}
