import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import path from 'node:path';
import type { Figure, Measured } from './measure.js';
import { type Peaks, peaksOf, shareOf } from './yardstick.js';

const root = path.resolve(import.meta.dirname, '../../..');
export const results = path.join(root, '.cache/bench');

export interface Line {
  /** Name of the files in .cache/bench. */
  readonly id: string;
  /** The exact work, the same for every variant. */
  readonly work: string;
  readonly threads: number;
  readonly measured: readonly Measured[];
  /** What the machine did at best meanwhile. */
  readonly yardsticks: readonly Measured[];
  /** What the work is counted as, whoever does it: its share of the machine's peak is shown. */
  readonly load?: { readonly kind: keyof Peaks; readonly amount: number };
  readonly versions?: Readonly<Record<string, string>>;
  /** What could not be compared and why, and what else a reader has to know. */
  readonly notes?: readonly string[];
}

const UNITS = { flops: ['GFLOP', "the machine's FLOP/s"], bytes: ['GB', "the memory's bandwidth"] } as const;

/** Prints a Markdown table with every variant as a ratio of the first, and writes it and the numbers to .cache/bench. */
export async function report(line: Line): Promise<void> {
  const { dependencies } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8'));
  const machine = {
    processor: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${platform()} ${release()}`,
    load: loadavg()[0]?.toFixed(1),
  };
  const versions = { Node: process.version.slice(1), 'onnxruntime-node': dependencies['onnxruntime-node'], ...line.versions };
  const date = new Date().toISOString();
  const peaks = peaksOf(line.yardsticks, line.threads);
  const text = [
    `## ${line.work}`,
    '',
    `${date.slice(0, 10)} · ${machine.processor}, ${machine.memory}, ${machine.system}, load ${machine.load} · ${line.threads} ${line.threads === 1 ? 'thread' : 'threads'} · ` +
      Object.entries(versions)
        .map((entry) => entry.join(' '))
        .join(', '),
    '',
    `| variant | wall ms | ratio | cpu ms | ratio | resident MB |${line.load ? ' share of peak, wall; cpu |' : ''}`,
    `|---|---|---|---|---|---|${line.load ? '---|' : ''}`,
    ...line.measured.map((measured) => row(measured, line, peaks)),
    ...(line.load ? ['', peakNote(line.load, peaks)] : []),
    ...(line.notes ?? []).flatMap((note) => ['', note]),
    '',
  ].join('\n');
  console.log(`\n${text}`);
  await mkdir(results, { recursive: true });
  await writeFile(path.join(results, `${line.id}.md`), text);
  await writeFile(path.join(results, `${line.id}.json`), JSON.stringify({ date, machine, ...line, peaks, versions }, null, 2));
}

function row({ name, wall, cpu, wallRatio, cpuRatio, rss }: Measured, { load, threads }: Line, peaks: Peaks): string {
  const show = ({ median, min, max }: Figure, digits: number) =>
    `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
  const digits = wall.median < 100 ? 1 : 0;
  const cells = [show(wall, digits), show(wallRatio, 2), show(cpu, digits), show(cpuRatio, 2), (rss / 1e6).toFixed(0)];
  if (load) {
    const share = shareOf(load.amount, { wall: wall.median, cpu: cpu.median }, peaks[load.kind], threads);
    cells.push(`${(100 * share.wall).toFixed(0)} %; ${(100 * share.cpu).toFixed(0)} %`);
  }
  return `| ${name} | ${cells.join(' | ')} |`;
}

/** Amounts a millisecond are millions a second. */
function peakNote({ kind, amount }: NonNullable<Line['load']>, peaks: Peaks): string {
  const [unit, what] = UNITS[kind];
  const { wall, cpu } = peaks[kind];
  return (
    `The work is ${(amount / 1e9).toFixed(3)} ${unit}; ${what}, measured in the same rounds, is ${(wall / 1e6).toFixed(1)} ${unit}/s by the clock ` +
    `and ${(cpu / 1e6).toFixed(1)} ${unit}/s by processor time.`
  );
}
