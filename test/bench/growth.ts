// How what a run costs grows with its tokens (256 … 32,768) and a model with its layers: memory held, time to read on, and time to look at something.
// On the embedded models, so that the longest run takes a minute. Writes .cache/bench/growth.{md,json} and the plot of the README.
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';
import { row } from '../../server/analyses/attentionRow.js';
import { step } from '../../server/analyses/state.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { Model } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { RunView } from '../../server/runtime/view.js';
import { threads } from './lib/bench.js';
import { plot } from './lib/plot.js';
import { llamaTensors, randomModel, smolLm2 } from './lib/shapes.js';

const root = path.resolve(import.meta.dirname, '../..');
const LONGEST = Number(process.env.BENCH_TOKENS ?? 32_768);
const LAYERS = [2, 4, 8, 16, 32];
const REPEATS = 5;

const device = new LocalDevice();
const open = async (folder: string) => Model.open(await openCheckpoint(folder), { device, threads });
const idsOf = (model: Model, count: number) =>
  Array.from({ length: count }, (_, i) => 3 + ((i * 7919) % (model.bound.config.vocab - 3)));
const watched = { signal: new AbortController().signal, progress: () => undefined };

/** Median milliseconds of a few times. */
async function ms(work: (i: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < REPEATS; i++) {
    const started = performance.now();
    await work(i);
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b)[REPEATS >> 1] as number;
}

/** What an analysis reads of a run, without a cache: everything is computed. */
const viewOf = (run: Run) =>
  ({
    ids: run.ids,
    layers: run.layers,
    model: { name: '', dtype: '', provider: '' },
    probes: run.probes.bind(run),
  }) as unknown as RunView;

interface Point {
  readonly model: string;
  readonly tokens: number;
  readonly layers: number;
  /** Bytes of checkpoints, snapshots and live state. */
  readonly held: number;
  /** Milliseconds for the tokens since the last point, each. */
  readonly perToken: number;
  /** Milliseconds to look at one row of attention at the end, or one step of a state anywhere. */
  readonly look: number;
}

/** Each look is at a place that was not looked at before. */
const look = (run: Run): Promise<number> => {
  const view = viewOf(run);
  const T = run.ids.length;
  const attends = run.layers[1]?.attention;
  const state = run.layers[1]?.state.find(({ kind }) => kind === 'matrix')?.name ?? '';
  return ms((i) =>
    attends
      ? row(view, { layer: 1, head: 0, query: T - 1 - i }, watched)
      : step(view, { layer: 1, state, group: 0, token: Math.floor(T * (0.91 - 0.17 * i)), against: null }, watched),
  );
};

const held = async (run: Run): Promise<number> => run.bytes + (await run.stateBytes());

async function overTokens(name: string): Promise<Point[]> {
  const model = await open(path.join(root, 'media/models', name));
  const run = await Run.create(model);
  const ids = idsOf(model, LONGEST);
  const points: Point[] = [];
  await (await Run.create(model)).prefill(ids.slice(0, 256)); // warms up
  for (let tokens = 256; tokens <= LONGEST; tokens *= 2) {
    const fresh = ids.slice(run.ids.length, tokens);
    const started = performance.now();
    await run.prefill(fresh);
    const perToken = (performance.now() - started) / fresh.length;
    const bytes = await held(run);
    await look(run);
    points.push({ model: name, tokens, layers: model.layers.length, held: bytes, perToken, look: await look(run) });
    console.log(name, tokens, 'tokens', JSON.stringify(points.at(-1)));
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
    const started = performance.now();
    await run.prefill(idsOf(model, 1024));
    const perToken = (performance.now() - started) / 1024;
    await look(run);
    points.push({ model: 'llama, D 288', tokens: 1024, layers, held: await held(run), perToken, look: await look(run) });
    console.log(layers, 'layers', JSON.stringify(points.at(-1)));
    await model.close();
  }
  return points;
}

const families = [await overTokens('tiny-llama'), await overTokens('tiny-mamba')];
const deeper = await overLayers();
await device.close();

const curves = (of: readonly (readonly Point[])[], x: keyof Point, y: keyof Point) =>
  of.map((points) => ({
    name: (points[0] as Point).model,
    points: points.map((p) => [p[x] as number, p[y] as number] as const),
  }));
const svg = [
  { title: 'Held for a run', unit: 'bytes', curves: curves(families, 'tokens', 'held') },
  { title: 'Reading on', unit: 'ms a token', curves: curves(families, 'tokens', 'perToken') },
  { title: 'Looking at a row, or a state', unit: 'ms', curves: curves(families, 'tokens', 'look') },
];
await writeFile(path.join(root, 'media/growth.svg'), plot(svg, 'tokens'));

const points = [...families.flat(), ...deeper];
const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.version.slice(1)}, ${threads} threads`;
const text = [
  '## Growth with tokens and layers',
  '',
  machine,
  '',
  '| model | layers | tokens | held MB | ms a token | ms to look |',
  '|---|---|---|---|---|---|',
  ...points.map(
    (p) =>
      `| ${p.model} | ${p.layers} | ${p.tokens} | ${(p.held / 1e6).toFixed(1)} | ${p.perToken.toFixed(3)} | ${p.look.toFixed(1)} |`,
  ),
  '',
].join('\n');
await mkdir(path.join(root, '.cache/bench'), { recursive: true });
await writeFile(path.join(root, '.cache/bench/growth.md'), text);
await writeFile(path.join(root, '.cache/bench/growth.json'), JSON.stringify({ machine, points }, null, 2));
console.log(`\n${text}`);
