// How what a run costs grows with its tokens (256 … 32,768) and a model with its layers: memory held, time to read on, and time to look at a row, a tile
// and a state, each for the first time. On the embedded models. Times are processor time, which a busy machine changes less. Writes
// .cache/bench/growth.{md,json} and the plot of the README. `--plot` draws the numbers of the last run again.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';
import { row } from '../../server/analyses/attentionRow.js';
import { tile } from '../../server/analyses/attentionTile.js';
import { step } from '../../server/analyses/state.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { createRunView } from '../../server/lab/runView.js';
import type { ModelInfo } from '../../server/protocol/models.js';
import { Model } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { RunView } from '../../server/runtime/view.js';
import { freshMemo } from '../analyses/constructed.js';
import { threads } from './lib/bench.js';
import { type Panel, plot } from './lib/plot.js';
import { llamaTensors, randomModel, smolLm2 } from './lib/shapes.js';

const root = path.resolve(import.meta.dirname, '../..');
const LONGEST = Number(process.env.BENCH_TOKENS ?? 32_768);
const LAYERS = [2, 4, 8, 16, 32];
const REPEATS = 5;
/** Cells a side of a tile. */
const SIDE = 256;

const device = new LocalDevice();
const open = async (folder: string) => Model.open(await openCheckpoint(folder), { device, threads });
const idsOf = (model: Model, count: number) =>
  Array.from({ length: count }, (_, i) => 3 + ((i * 7919) % (model.bound.config.vocab - 3)));
const watched = { signal: new AbortController().signal, progress: () => undefined };

/** Median milliseconds of processor time, of a few times. */
async function ms(work: (i: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < REPEATS; i++) times.push(await processorTime(() => work(i)));
  return times.sort((a, b) => a - b)[REPEATS >> 1] as number;
}

async function processorTime(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** A run as analyses see it, of which nothing was looked at yet. */
const viewOf = (run: Run): RunView =>
  createRunView({ id: '', recipe: {} as RunView['recipe'], model: {} as ModelInfo, engine: run }, freshMemo());

interface Looks {
  readonly row?: number;
  readonly tile?: number;
  readonly state?: number;
}

interface Point extends Looks {
  readonly model: string;
  readonly tokens: number;
  readonly layers: number;
  /** Bytes of checkpoints, snapshots and live state. */
  readonly held: number;
  /** Milliseconds for the tokens since the last point, each. */
  readonly perToken: number;
}

/** Milliseconds to look at one row near the end, at a tile in full detail beside it, or at one step of a state anywhere: each somewhere else. */
async function look(run: Run): Promise<Looks> {
  const T = run.ids.length;
  if (run.layers[1]?.attention) {
    const last = { layer: 1, head: 0, count: T, level: 0, pool: 'mean' } as const;
    const tiles = Math.ceil(T / SIDE);
    return {
      row: await ms((i) => row(viewOf(run), { layer: 1, head: 0, query: T - 1 - i }, watched)),
      tile: await ms((i) => tile(viewOf(run), { ...last, row: tiles - 1, col: Math.floor((tiles * i) / REPEATS) }, watched)),
    };
  }
  const state = run.layers[1]?.state.find(({ kind }) => kind === 'matrix')?.name ?? '';
  const at = { layer: 1, state, group: 0, against: null };
  return { state: await ms((i) => step(viewOf(run), { ...at, token: Math.floor(T * (0.91 - 0.17 * i)) }, watched)) };
}

const held = async (run: Run): Promise<number> => run.bytes + (await run.stateBytes());

async function overTokens(name: string): Promise<Point[]> {
  const model = await open(path.join(root, 'media/models', name));
  const run = await Run.create(model);
  const ids = idsOf(model, LONGEST);
  const points: Point[] = [];
  await (await Run.create(model)).prefill(ids.slice(0, 256)); // warms up
  for (let tokens = 256; tokens <= LONGEST; tokens *= 2) {
    const fresh = ids.slice(run.ids.length, tokens);
    const perToken = (await processorTime(() => run.prefill(fresh))) / fresh.length;
    const bytes = await held(run);
    if (tokens === 256) await look(run);
    points.push({ model: name, tokens, layers: model.layers.length, held: bytes, perToken, ...(await look(run)) });
    console.log(JSON.stringify(points.at(-1)));
  }
  await run.close();
  await model.close();
  return points;
}

async function overLayers(): Promise<Point[]> {
  const points: Point[] = [];
  for (const layers of LAYERS) {
    const config = { ...smolLm2, num_hidden_layers: layers, vocab_size: 4096, hidden_size: 288, intermediate_size: 768 };
    const model = await open(await randomModel(config, llamaTensors(config)));
    const run = await Run.create(model);
    await (await Run.create(model)).prefill(idsOf(model, 256));
    const perToken = (await processorTime(() => run.prefill(idsOf(model, 1024)))) / 1024;
    await look(run);
    points.push({ model: 'llama, D 288', tokens: 1024, layers, held: await held(run), perToken, ...(await look(run)) });
    console.log(JSON.stringify(points.at(-1)));
    await model.close();
  }
  return points;
}

interface Result {
  readonly machine: string;
  readonly families: readonly (readonly Point[])[];
  readonly deeper: readonly Point[];
}

const results = path.join(root, '.cache/bench/growth');

async function measure(): Promise<Result> {
  const families = [await overTokens('tiny-llama'), await overTokens('tiny-mamba')];
  const deeper = await overLayers();
  await device.close();
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.version.slice(1)}, ${threads} threads`;
  await mkdir(path.dirname(results), { recursive: true });
  await writeFile(`${results}.json`, JSON.stringify({ machine, families, deeper }, null, 2));
  return { machine, families, deeper };
}

/** One curve: a figure of these points, where they have it. */
const curve = (name: string, points: readonly Point[], x: 'tokens' | 'layers', y: keyof Point) => ({
  name,
  points: points.flatMap((p) => (p[y] === undefined ? [] : [[p[x], p[y] as number] as const])),
});

function panels({ families, deeper }: Result): Panel[] {
  const [llama = [], mamba = []] = families;
  const named = (y: keyof Point) => families.map((points) => curve((points[0] as Point).model, points, 'tokens', y));
  return [
    { title: 'Held for a run', unit: 'bytes', x: 'tokens', curves: named('held') },
    { title: 'Reading on', unit: 'ms of processor time a token', x: 'tokens', curves: named('perToken') },
    {
      title: 'Looking, the first time',
      unit: 'ms of processor time',
      x: 'tokens',
      curves: [
        curve('a tile', llama, 'tokens', 'tile'),
        curve('a row', llama, 'tokens', 'row'),
        curve('a state', mamba, 'tokens', 'state'),
      ],
    },
    { title: 'Held for 1,024 tokens', unit: 'bytes', x: 'layers', curves: [curve('llama, D 288', deeper, 'layers', 'held')] },
    {
      title: 'Reading them',
      unit: 'ms of processor time a token',
      x: 'layers',
      curves: [curve('llama, D 288', deeper, 'layers', 'perToken')],
    },
    {
      title: 'Looking, the first time',
      unit: 'ms of processor time',
      x: 'layers',
      curves: [curve('a tile', deeper, 'layers', 'tile'), curve('a row', deeper, 'layers', 'row')],
    },
  ];
}

function table({ machine, families, deeper }: Result): string {
  const figure = (value: number | undefined, digits: number) => value?.toFixed(digits) ?? '';
  return [
    '## Growth with tokens and layers',
    '',
    `${machine}; times are processor time`,
    '',
    '| model | layers | tokens | held MB | ms a token | ms for a row | a tile | a state |',
    '|---|---|---|---|---|---|---|---|',
    ...[...families.flat(), ...deeper].map((p) => {
      const looks = [p.row, p.tile, p.state].map((value) => figure(value, 1));
      return `| ${[p.model, p.layers, p.tokens, figure(p.held / 1e6, 1), figure(p.perToken, 3), ...looks].join(' | ')} |`;
    }),
    '',
  ].join('\n');
}

const known = process.argv.includes('--plot');
const result = known ? (JSON.parse(await readFile(`${results}.json`, 'utf8')) as Result) : await measure();
await writeFile(path.join(root, 'media/growth.svg'), plot(panels(result)));
await writeFile(`${results}.md`, table(result));
console.log(`\n${table(result)}`);
