// What a map of attention costs as a run grows: time and memory for one head, tiles of it, and the thumbnails of its layer. SmolLM2's shape with
// one block, fp32: a map is of one layer. Writes .cache/bench/maps.{md,json}.
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';
import { thumbnails } from '../../server/analyses/attentionOverview.js';
import { preview, tile } from '../../server/analyses/attentionTile.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { ByteCache } from '../../server/lab/byteCache.js';
import { Memo } from '../../server/lab/memo.js';
import { createRunView, type ViewedRun } from '../../server/lab/runView.js';
import { coarsestLevel, TILE } from '../../server/protocol/attention.js';
import { Model } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { threads } from './lib/bench.js';
import { llamaTensors, randomModel, smolLm2 } from './lib/shapes.js';

const root = path.resolve(import.meta.dirname, '../..');
const LONGEST = Number(process.env.BENCH_TOKENS ?? 32_768);
const LAYER = 0;
const REPEATS = 3;

interface Point {
  readonly tokens: number;
  /** Milliseconds to the sketch and to the whole head, medians; to all heads of the layer. */
  readonly sketch: number;
  readonly head: number;
  readonly layer: number;
  /** Median of tiles of single weights here and there, the head being known. */
  readonly tile: number;
  /** Bytes kept of the head. */
  readonly kept: number;
  /** Bytes by which the process grew at most meanwhile. */
  readonly peak: number;
}

const device = new LocalDevice();
const config = { ...smolLm2, num_hidden_layers: 1, vocab_size: 4096 };
const model = await Model.open(await openCheckpoint(await randomModel(config, llamaTensors(config))), { device, threads });
const run = await Run.create(model);
const ids = Array.from({ length: LONGEST }, (_, i) => 3 + ((i * 7919) % (config.vocab_size - 3)));

let peak = 0;
const watched = {
  signal: new AbortController().signal,
  progress: () => {
    peak = Math.max(peak, process.memoryUsage.rss());
  },
};

async function ms(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1] as number;

/** A run of which nothing is known yet. */
function fresh() {
  const cache = new ByteCache(Number.POSITIVE_INFINITY);
  const info = { name: '', dtype: '', provider: '' } as unknown as ViewedRun['model'];
  const view = createRunView({ id: 'r', recipe: {} as ViewedRun['recipe'], model: info, engine: run }, new Memo(cache));
  return { cache, view };
}

async function measure(): Promise<Point> {
  const tokens = run.ids.length;
  const at = { layer: LAYER, head: 4, count: tokens, pool: 'max' } as const;
  const whole = { ...at, level: coarsestLevel(tokens), row: 0, col: 0 };
  const times = { sketch: [] as number[], head: [] as number[], tile: [] as number[] };
  const before = process.memoryUsage.rss();
  peak = before;
  let kept = 0;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const { cache, view } = fresh();
    times.sketch.push(await ms(() => preview(view, at, watched)));
    times.head.push(await ms(() => tile(view, whole, watched)));
    kept = cache.bytes;
    const row = Math.floor(((repeat + 1) / REPEATS) * (tokens / TILE - 1));
    const col = Math.floor((row * repeat) / REPEATS);
    times.tile.push(await ms(() => tile(view, { ...at, level: 0, row, col }, watched)));
  }
  const layer = await ms(() => thumbnails(fresh().view, { layer: LAYER, count: tokens, sample: false }, watched));
  const [sketch, head, part] = [median(times.sketch), median(times.head), median(times.tile)];
  return { tokens, sketch, head, layer, tile: part, kept, peak: peak - before };
}

await run.prefill(ids.slice(0, 1024));
await measure(); // compiles
const points: Point[] = [];
for (let tokens = 4096; tokens <= LONGEST; tokens *= 2) {
  await run.prefill(ids.slice(run.ids.length, tokens));
  points.push(await measure());
  console.log(JSON.stringify(points.at(-1)));
}
await run.close();
await model.close();
await device.close();

const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.version.slice(1)}, ${threads} threads`;
const text = [
  '## A map of attention as a run grows',
  '',
  `SmolLM2's shape (9 heads of 64), fp32. ${machine}`,
  '',
  '| tokens | ms to a sketch | ms to the whole head | ms to all heads of the layer | ms to a tile of single weights | kB kept of the head | MB the process grew by |',
  '|---|---|---|---|---|---|---|',
  ...points.map((p) => {
    const times = [p.sketch, p.head, p.layer, p.tile].map((time) => time.toFixed(0));
    return `| ${[p.tokens, ...times, (p.kept / 1e3).toFixed(0), (p.peak / 1e6).toFixed(1)].join(' | ')} |`;
  }),
  '',
].join('\n');
await mkdir(path.join(root, '.cache/bench'), { recursive: true });
await writeFile(path.join(root, '.cache/bench/maps.md'), text);
await writeFile(path.join(root, '.cache/bench/maps.json'), JSON.stringify({ machine, points }, null, 2));
console.log(`\n${text}`);
