/** What one run of a variant took. */
export interface Sample {
  /** Milliseconds on the clock. */
  readonly wall: number;
  /** Milliseconds of processor time over all threads: says more on a busy machine. */
  readonly cpu: number;
  /** Bytes resident in the process that ran it, afterwards. */
  readonly rss: number;
}

export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Measured {
  readonly name: string;
  readonly wall: Figure;
  readonly cpu: Figure;
  /** To the first variant, round by round: what disturbs a round disturbs both. */
  readonly wallRatio: Figure;
  readonly cpuRatio: Figure;
  readonly rss: number;
  /** Round by round. */
  readonly samples: readonly Sample[];
}

/** A variant times itself when it runs in a process of its own. */
export type Variants = Readonly<Record<string, () => Promise<Sample>>>;

interface Taken {
  readonly name: string;
  readonly run: () => Promise<Sample>;
  readonly samples: Sample[];
}

/** Runs the variants in turn, A B A B …, after one warm-up each, so that drift of the machine meets all alike; yardsticks as well. */
export async function interleave(
  repeats: number,
  variants: Variants,
  yardsticks: Variants = {},
): Promise<{ measured: Measured[]; yardsticks: Measured[] }> {
  const take = (of: Variants) => Object.entries(of).map(([name, run]): Taken => ({ name, run, samples: [] }));
  const [own, others] = [take(variants), take(yardsticks)];
  for (const { run } of [...own, ...others]) await run();
  for (let r = 0; r < repeats; r++) for (const { run, samples } of [...own, ...others]) samples.push(await run());
  return { measured: measuredOf(own), yardsticks: measuredOf(others) };
}

/** Medians and spread, with ratios to the first. */
export function measuredOf(taken: readonly Pick<Taken, 'name' | 'samples'>[]): Measured[] {
  const first = taken[0]?.samples ?? [];
  return taken.map(({ name, samples }) => {
    const ratios = (key: 'wall' | 'cpu') => figure(samples.map((sample, r) => sample[key] / (first[r] as Sample)[key]));
    return {
      name,
      wall: figure(samples.map(({ wall }) => wall)),
      cpu: figure(samples.map(({ cpu }) => cpu)),
      wallRatio: ratios('wall'),
      cpuRatio: ratios('cpu'),
      rss: Math.max(...samples.map(({ rss }) => rss)),
      samples: samples.map(({ wall, cpu, rss }) => ({ wall, cpu, rss })),
    };
  });
}

/** Times work in this process; `parts` divides the times: a forward pass of 12 blocks as one block. */
export async function timed(work: () => Promise<unknown>, parts = 1): Promise<Sample> {
  const before = process.cpuUsage();
  const start = performance.now();
  await work();
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return { wall: wall / parts, cpu: (user + system) / 1000 / parts, rss: process.memoryUsage.rss() };
}

/** Of an even number of values the upper of the two in the middle. */
export function figure(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1] as number, min: sorted[0] as number, max: sorted.at(-1) as number };
}
