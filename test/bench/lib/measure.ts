import { availableParallelism, cpus } from 'node:os';

export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Measured {
  readonly name: string;
  /** Milliseconds on the clock. */
  readonly wall: Figure;
  /** Milliseconds of processor time over all threads: says more on a busy machine. */
  readonly cpu: Figure;
}

/** Runs the variants in turn, A B A B …, after one warm-up each, so that drift of the machine meets all alike. */
export async function interleave(repeats: number, variants: Readonly<Record<string, () => Promise<void>>>): Promise<Measured[]> {
  const samples = Object.entries(variants).map(([name, run]) => ({ name, run, wall: [] as number[], cpu: [] as number[] }));
  for (const { run } of samples) await run();
  for (let r = 0; r < repeats; r++)
    for (const { run, wall, cpu } of samples) {
      const before = process.cpuUsage();
      const start = performance.now();
      await run();
      wall.push(performance.now() - start);
      const { user, system } = process.cpuUsage(before);
      cpu.push((user + system) / 1000);
    }
  return samples.map(({ name, wall, cpu }) => ({ name, wall: figure(wall), cpu: figure(cpu) }));
}

function figure(values: readonly number[]): Figure {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1] as number, min: sorted[0] as number, max: sorted.at(-1) as number };
}

/** A Markdown table with every variant as a ratio of the first. */
export function report(title: string, measured: readonly Measured[]): void {
  const [base] = measured as readonly [Measured, ...Measured[]];
  const show = ({ median, min, max }: Figure) => `${median.toFixed(0)} (${min.toFixed(0)}–${max.toFixed(0)})`;
  console.log(
    `\n${title}\n${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, Node ${process.version}\n`,
  );
  console.log('| variant | wall ms | ratio | cpu ms | ratio |\n|---|---|---|---|---|');
  for (const { name, wall, cpu } of measured)
    console.log(
      `| ${name} | ${show(wall)} | ${(wall.median / base.wall.median).toFixed(2)} | ${show(cpu)} | ${(cpu.median / base.cpu.median).toFixed(2)} |`,
    );
}
