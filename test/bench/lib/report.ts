import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus, loadavg, platform, release, totalmem } from 'node:os';
import path from 'node:path';
import type { Figure, Measured } from './measure.js';

const root = path.resolve(import.meta.dirname, '../../..');
const results = path.join(root, '.cache/bench');

export interface Line {
  /** Name of the files in .cache/bench. */
  readonly id: string;
  /** The exact work, the same for every variant. */
  readonly work: string;
  readonly threads: number;
  readonly measured: readonly Measured[];
  readonly versions?: Readonly<Record<string, string>>;
  /** What could not be compared and why, and what else a reader has to know. */
  readonly notes?: readonly string[];
}

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
  const text = [
    `## ${line.work}`,
    '',
    `${date.slice(0, 10)} · ${machine.processor}, ${machine.memory}, ${machine.system}, load ${machine.load} · ${line.threads} threads · ` +
      Object.entries(versions)
        .map((entry) => entry.join(' '))
        .join(', '),
    '',
    '| variant | wall ms | ratio | cpu ms | ratio | resident MB |',
    '|---|---|---|---|---|---|',
    ...line.measured.map(row),
    ...(line.notes ?? []).flatMap((note) => ['', note]),
    '',
  ].join('\n');
  console.log(`\n${text}`);
  await mkdir(results, { recursive: true });
  await writeFile(path.join(results, `${line.id}.md`), text);
  await writeFile(path.join(results, `${line.id}.json`), JSON.stringify({ date, machine, ...line, versions }, null, 2));
}

function row({ name, wall, cpu, wallRatio, cpuRatio, rss }: Measured): string {
  const show = ({ median, min, max }: Figure, digits: number) =>
    `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`;
  const digits = wall.median < 100 ? 1 : 0;
  const cells = [show(wall, digits), show(wallRatio, 2), show(cpu, digits), show(cpuRatio, 2), (rss / 1e6).toFixed(0)];
  return `| ${name} | ${cells.join(' | ')} |`;
}
