// A prompt of 32,768 tokens (the lab's own source) through SmolLM2-135M, in the server as the editor starts it: stopped once on the way, read to its
// end, looked at, and continued. Tells times by the clock and of the processor (all threads of the server; on Linux) and the most memory the server
// ever had. BENCH_DTYPE is what weights are computed as. Writes .cache/bench/long.{md,json}. Takes about ten minutes of processor time.
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import path from 'node:path';
import type { Method, Params, Result } from '../../server/protocol/requests.js';
import type { RunDetail, RunInfo } from '../../server/protocol/runs.js';
import { type Client, connect } from '../protocol/client.js';
import { smolLm2 } from '../smolLm2.mjs';
import { threads } from './lib/bench.js';

const TOKENS = Number(process.env.BENCH_TOKENS ?? 32_768);
const dtype = process.env.BENCH_DTYPE ?? 'own';
const root = path.resolve(import.meta.dirname, '../..');
const found: string | null = smolLm2();
if (found === null) throw new Error('SmolLM2 cannot be had here: see test/smolLm2.mjs');
const file: string = found;

const lines: { readonly what: string; readonly figure: string }[] = [];
const tell = (what: string, figure: string) => {
  lines.push({ what, figure });
  console.log(`${what}: ${figure}`);
};
const seconds = (ms: number): string => (ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`);
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

/** Enough source text for that many tokens, and more. */
function text(): string {
  const files = readdirSync(path.join(root, 'server'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  let result = '';
  for (const name of files.sort())
    if (result.length < 5 * TOKENS) result += readFileSync(path.join(root, 'server', name), 'utf8');
  return result;
}

const client: Client = await connect(path.join(root, 'dist/server.js'), ['--threads', String(threads), '--dtype', dtype]);
/** VmRSS or VmHWM, the most there ever was, of the server. */
const memory = (key: 'VmRSS' | 'VmHWM'): number =>
  1024 * Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${client.child.pid}/status`, 'utf8'))?.[1]);

/** Milliseconds that the processor worked for the server so far; Linux counts them in hundredths of a second. */
const worked = (): number => {
  const fields = readFileSync(`/proc/${client.child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
};
/** By the clock, and of the processor, which counts on a machine that does other things as well. */
function watch(): () => string {
  const [started, before] = [performance.now(), worked()];
  return () => `${seconds(performance.now() - started)} (processor ${seconds(worked() - before)})`;
}

async function took<M extends Method>(what: string, method: M, params: Params<M>): Promise<Result<M>> {
  const time = watch();
  const result = await client.request(method, params);
  tell(what, time());
  return result;
}

const start = (ids: readonly number[]): Promise<RunInfo> =>
  client.request('runs/start', {
    path: file,
    prompt: null,
    ids,
    chat: false,
    maxTokens: 8,
    sampling: { temperature: 0, topK: null, topP: null, seed: null },
    branch: null,
  });
const over = async ({ id }: RunInfo): Promise<RunDetail> => {
  await client.event(
    (f) => f.event === 'runs/changed' && f.payload.run.id === id && ['done', 'stopped', 'failed'].includes(f.payload.run.status),
  );
  return client.request('runs/get', { run: id });
};
/** The share of its prompt that a run has read, once it is as much. */
const read = ({ id }: RunInfo, share: number) =>
  client.event((f) => f.event === 'runs/progress' && f.payload.run === id && f.payload.done >= share * f.payload.total);

const model = await took('loading the model', 'models/open', { path: file });
const { pieces } = await took('cutting the text into tokens', 'tokens/encode', { model: model.id, text: text(), chat: false });
const ids = pieces.slice(0, TOKENS).map((piece) => piece.id);
if (ids.length < TOKENS) throw new Error(`the source has only ${ids.length} tokens`);

const stopped = await start(ids);
await read(stopped, 0.05);
const stopping = performance.now();
await client.request('runs/stop', { run: stopped.id });
const { status } = await over(stopped);
tell('from Stop, at a twentieth of the prompt, to stopped', `${seconds(performance.now() - stopping)} (${status})`);
await client.request('runs/remove', { run: stopped.id });

const time = watch();
const run = await start(ids);
for (let tenth = 1; tenth < 10; tenth++)
  void read(run, tenth / 10).then(() => console.log(`${tenth}0 % after ${time()}, ${megabytes(memory('VmRSS'))}`));
const done = await over(run);
if (done.status !== 'done') throw new Error(`the run is ${done.status}: ${done.error?.message}`);
tell(
  `reading ${done.promptTokens} tokens`,
  `${seconds(done.prefillMs)}, ${((1000 * done.promptTokens) / done.prefillMs).toFixed(0)} tokens/s`,
);
tell('the whole run: reading, distributions of all tokens, 8 new ones', time());
tell('decoding behind them', `${done.tokensPerSecond?.toFixed(1)} tokens/s`);
tell('loss of the prompt', `${done.loss?.toFixed(3)} nats a token`);
tell(
  'steps of progress told',
  String(client.events.filter((f) => f.event === 'runs/progress' && f.payload.run === run.id).length),
);
tell('held for the run', megabytes(done.memory));
tell('server afterwards, resident; the most ever', `${megabytes(memory('VmRSS'))}; ${megabytes(memory('VmHWM'))}`);

const middle = { run: run.id, layer: 15, head: 4 };
const all = { ...middle, count: TOKENS };
await took('attention: the row of the last token', 'attention/row', { ...middle, query: TOKENS - 1 });
await took('attention: another row', 'attention/row', { ...middle, query: TOKENS >> 1 });
await took('attention: a cell', 'attention/cell', { ...middle, query: TOKENS - 1, key: 100 });
await took('attention: sketch of a head', 'attention/preview', { ...all, pool: 'mean' });
const zoom = Math.max(0, Math.ceil(Math.log2(TOKENS / 256)));
await took('attention: the head, coarsest tile', 'attention/tile', { ...all, level: zoom, row: 0, col: 0, pool: 'mean' });
await took('attention: a tile in full detail', 'attention/tile', {
  ...all,
  level: 0,
  row: (TOKENS >> 9) - 1,
  col: 3,
  pool: 'mean',
});
await took('attention: all heads of the layer, sketched', 'attention/thumbnails', {
  run: run.id,
  layer: 15,
  count: TOKENS,
  sample: true,
});
await took('cache: overview', 'cache/overview', { run: run.id });
await took('cache: norms of a layer’s keys', 'cache/map', { run: run.id, layer: 15, state: 'k' });
await took('cache: a slice', 'cache/slice', { run: run.id, layer: 15, kvHead: 1, token: TOKENS >> 1 });
await took('architecture: the residual stream at a token, all layers', 'graph/flow', { run: run.id, token: TOKENS - 1 });
await took('architecture: a value inside a block at a token', 'graph/value', {
  run: run.id,
  probe: 'blocks.15.mlp.post',
  token: TOKENS - 1,
  side: 64,
});

const goingOn = watch();
const again = await over(await start([...ids, ...ids.slice(0, 16)]));
tell(
  'a prompt that goes on from there',
  `${again.reused} tokens taken over; the other 16, distributions and 8 new ones ${goingOn()}`,
);
tell('the most memory ever, all of it', megabytes(memory('VmHWM')));
await client.close();

const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.version.slice(1)}, ${threads} threads`;
const table = ['| | |', '|---|---|', ...lines.map(({ what, figure }) => `| ${what} | ${figure} |`)];
await mkdir(path.join(root, '.cache/bench'), { recursive: true });
await writeFile(
  path.join(root, '.cache/bench/long.md'),
  [`## SmolLM2-135M (Q4_1) as ${dtype}, ${TOKENS} tokens`, '', machine, '', ...table, ''].join('\n'),
);
await writeFile(path.join(root, '.cache/bench/long.json'), JSON.stringify({ machine, dtype, tokens: TOKENS, lines }, null, 2));
