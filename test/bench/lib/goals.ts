import { type Figure, figure, type Measured } from './measure.js';
import { type Peaks, shareOf } from './yardstick.js';

/** A goal of the project: some variant of a benchmark, against another of the same rounds. */
export interface Goal {
  readonly work: string;
  /** Whom it is measured against, in words. */
  readonly peer: string;
  /** Id of the benchmark's files. */
  readonly line: string;
  /** Id of the profile of the same work, where it is another. */
  readonly profile?: string;
  /** Which variants of it are ours; the slowest counts. */
  readonly ours: RegExp;
  /** Which are theirs; the fastest counts. */
  readonly theirs: RegExp;
  readonly reach:
    | { readonly kind: 'time'; readonly most: number }
    | { readonly kind: 'speed'; readonly least: number }
    | { readonly kind: 'memory'; readonly most: number }
    /** By itself, whatever others take. */
    | { readonly kind: 'milliseconds'; readonly most: number };
}

const llama = (type: string, what = type): Goal[] =>
  [
    ['decode at context 256', 'decode-256', 1.2],
    ['decode at context 2048', 'decode-2048', 1.2],
    ['prefill of 512', 'prefill', 1.5],
  ].map(([work, line, least]) => ({
    work: `SmolLM2 int4 (${what}), ${work}`,
    peer: 'llama.cpp, with or without flash attention',
    line: `llama-${type}-${line}`,
    ours: /^Model Lab/,
    theirs: /^llama\.cpp/,
    reach: { kind: 'speed', least: least as number },
  }));

const generation = (
  work: string,
  id: string,
  peer: string,
  theirs: RegExp,
  [prefill, decode]: readonly [number, number],
): Goal[] =>
  [['prefill of 512', 'prefill', prefill] as const, ['decode at context 256', 'decode-256', decode] as const].map(
    ([what, line, least]) => ({
      work: `${work}, ${what}`,
      peer,
      line: `${id}-${line}`,
      ours: /^Model Lab/,
      theirs,
      reach: { kind: 'speed', least },
    }),
  );

const states = {
  work: 'state of every block after every token, Mamba-130M shape, 4,096 tokens',
  line: 'states',
  peer: 'own prefill',
};

const anywhere = (what: string, ours: RegExp, most: number): Goal[] => [
  {
    work: `a step of a state anywhere, ${what}, the slowest of ten`,
    line: 'state-anywhere',
    peer: 'the clock',
    ours,
    theirs: ours,
    reach: { kind: 'milliseconds', most },
  },
];

export const goals: readonly Goal[] = [
  {
    work: 'GPT-2-small shape, prefill of 512, everything inspectable afterwards',
    peer: 'TransformerLens run_with_cache',
    line: 'gpt2-inspectable',
    profile: 'gpt2-prefill',
    ours: /^Model Lab/,
    theirs: /^TransformerLens/,
    reach: { kind: 'time', most: 0.5 },
  },
  {
    work: 'the same against plain',
    peer: 'transformers, sdpa',
    line: 'gpt2-prefill',
    ours: /^Model Lab$/,
    theirs: /^transformers/,
    reach: { kind: 'time', most: 0.85 },
  },
  {
    work: 'capture of residual and state, SmolLM2-135M shape, prefill of 512',
    peer: 'own run without, in the same segments',
    line: 'capture',
    ours: /^segments, all captured/,
    theirs: /^segments, no capture/,
    reach: { kind: 'time', most: 1.05 },
  },
  {
    work: 'any probe of one block afterwards, GPT-2-small shape, 512 tokens (the slowest of six)',
    peer: 'own forward ÷ 12 blocks',
    line: 'probe',
    ours: /^blocks\./,
    theirs: /^own prefill/,
    reach: { kind: 'time', most: 1.5 },
  },
  ...llama('Q4_1'),
  ...llama('Q4_0'),
  ...llama('own', 'our own of an F16 file, theirs Q4_0'),
  ...generation('Mamba-130M shape', 'mamba', 'transformers', /^transformers/, [2, 2]),
  ...generation('RWKV-7-191M shape', 'rwkv7', "pure torch (RWKV's own package)", /^pure torch/, [2.5, 1.5]),
  { ...states, ours: /^states/, theirs: /^own prefill/, reach: { kind: 'time', most: 2 } },
  { ...states, ours: /^states/, theirs: /^own prefill/, reach: { kind: 'memory', most: 0.5e9 } },
  ...anywhere('the embedded models, 1,024 tokens', /^tiny-/, 50),
  ...anywhere('Mamba-130M shape, 4,096 tokens', /^Mamba-130M/, 300),
];

/** What a benchmark left behind, as far as goals need it. */
export interface Result {
  readonly date: string;
  readonly threads: number;
  readonly measured: readonly Measured[];
  readonly load?: { readonly kind: keyof Peaks; readonly amount: number };
  readonly peaks?: Peaks;
}

export interface Outcome {
  readonly ours: string;
  readonly theirs: string;
  /** As the goal is said: time of theirs, times theirs in speed, bytes more, or milliseconds. */
  readonly wall: Figure;
  readonly cpu: Figure;
  /** What a run at the measured peak of the machine, fp32 products or memory, would reach against theirs; null where no work is counted. */
  readonly bound: number | null;
  /** Ours, of that peak. */
  readonly share: number | null;
  readonly met: boolean;
}

/**
 * null where a side was not measured. Ratios are taken round by round. The clock decides, or with one thread processor time, which is the clock
 * of a machine that does nothing else.
 */
export function outcome(goal: Goal, { measured, threads, load, peaks }: Result): Outcome | null {
  const decides = threads === 1 ? 'cpu' : 'wall';
  const sorted = (pattern: RegExp) =>
    measured.filter(({ name }) => pattern.test(name)).sort((a, b) => a[decides].median - b[decides].median);
  const [theirs, ours] = [sorted(goal.theirs)[0], sorted(goal.ours).at(-1)];
  if (!theirs || !ours) return null;
  const names = { ours: ours.name, theirs: theirs.name };
  const { reach } = goal;
  if (reach.kind === 'memory') {
    const more = figure([ours.rss - theirs.rss]);
    return { ...names, wall: more, cpu: more, bound: null, share: null, met: more.median <= reach.most };
  }
  if (reach.kind === 'milliseconds') {
    const times = { wall: ours.wall, cpu: ours.cpu };
    return { ...names, ...times, bound: null, share: null, met: times[decides].median <= reach.most };
  }
  const ratios = (key: 'wall' | 'cpu') =>
    figure(
      ours.samples.map((sample, r) => {
        const time = sample[key] / (theirs.samples[r]?.[key] as number);
        return reach.kind === 'time' ? time : 1 / time;
      }),
    );
  const [wall, cpu] = [ratios('wall'), ratios('cpu')];
  const { median } = { wall, cpu }[decides];
  const share = ({ wall, cpu }: Measured): number | null =>
    load && peaks ? shareOf(load.amount, { wall: wall.median, cpu: cpu.median }, peaks[load.kind], threads)[decides] : null;
  const least = share(theirs);
  const bound = least && reach.kind === 'speed' ? 1 / least : least;
  return {
    ...names,
    wall,
    cpu,
    bound,
    share: share(ours),
    met: reach.kind === 'time' ? median <= reach.most : median >= reach.least,
  };
}

/** A row for every goal, measured or not. */
export function goalsTable(results: ReadonlyMap<string, Result>): string {
  const rows = goals.map((goal) => {
    const result = results.get(goal.line);
    const found = result && outcome(goal, result);
    const cells =
      result && found
        ? [
            shown(found.wall, goal),
            shown(found.cpu, goal),
            found.bound === null ? '' : `${found.bound.toFixed(2)} ×`,
            found.met ? 'met' : 'missed',
            `${result.threads}`,
            result.date.slice(0, 16),
          ]
        : ['not measured', '', '', '', '', ''];
    return `| ${[goal.work, goal.peer, reachOf(goal), ...cells].join(' | ')} |`;
  });
  return [
    '## Goals',
    '',
    '| work | against | reach | by the clock | by processor time | at the peak | | threads | measured |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

function reachOf({ reach }: Goal): string {
  if (reach.kind === 'memory') return `≤ ${megabytes(reach.most)} more`;
  if (reach.kind === 'milliseconds') return `≤ ${reach.most} ms`;
  return reach.kind === 'time' ? `≤ ${reach.most} × the time` : `≥ ${reach.least} × the speed`;
}

function shown({ median, min, max }: Figure, { reach }: Goal): string {
  if (reach.kind === 'memory') return `${megabytes(median)} more`;
  if (reach.kind === 'milliseconds') return `${median.toFixed(0)} ms (${min.toFixed(0)}–${max.toFixed(0)})`;
  return `${median.toFixed(2)} × (${min.toFixed(2)}–${max.toFixed(2)})`;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
