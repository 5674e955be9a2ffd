import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { RunId, RunRecipe } from '../../server/protocol/runs.js';
import { code } from '../code.js';
import { type Client, connect } from './client.js';

const root = path.resolve(import.meta.dirname, '../..');
const SERVER = path.join(root, 'dist/server.js');
const EMBEDDED = path.join(root, 'media/models');
const model = (name: string) => path.join(EMBEDDED, name);
const storage = mkdtempSync(path.join(tmpdir(), 'model-lab-'));

const start = (...args: string[]): Promise<Client> => {
  assert.ok(existsSync(SERVER), 'npm run build first');
  return connect(SERVER, ['--storage', storage, '--embedded', EMBEDDED, ...args]);
};

const recipe = (name: string, change: Partial<RunRecipe> = {}): RunRecipe => ({
  path: model(name),
  prompt: 'Anna has the red kite.',
  ids: null,
  chat: false,
  maxTokens: 8,
  sampling: { temperature: 0, topK: null, topP: null, seed: 1 },
  branch: null,
  ...change,
});

const ended = (client: Client, id: RunId) =>
  client.event(
    ({ event, payload }) => event === 'runs/changed' && payload.run.id === id && /done|stopped|failed/.test(payload.run.status),
  );

let client: Client;
before(async () => {
  client = await start();
});
after(async () => {
  await client.close();
  rmSync(storage, { recursive: true });
});

test('finds the embedded models without opening them', async () => {
  const entries = await client.request('models/find', { folders: [] });
  assert.deepEqual(
    entries.map(({ path, source, open }) => [path, source, open]).sort(),
    readdirSync(EMBEDDED).map((name) => [model(name), 'embedded', null]),
  );
  assert.deepEqual(await client.request('models/list', {}), []);
});

test('inspects a header; a file that is no model is a coded error with the file', async () => {
  const summary = await client.request('models/inspect', { path: model('tiny-mamba') });
  assert.equal(summary.architecture, 'mamba');
  const bad = path.join(root, 'package.json');
  await assert.rejects(client.request('models/inspect', { path: bad }), (error) => {
    assert.ok(error instanceof Error && 'code' in error && 'file' in error, String(error));
    assert.notEqual(error.code, 'INTERNAL');
    assert.equal(error.file, bad);
    return true;
  });
});

test('what does not exist is a coded error', async () => {
  await assert.rejects(client.request('runs/get', { run: 'none' }), code('RUN_UNKNOWN'));
  await assert.rejects(client.request('models/close', { model: 'none' }), code('MODEL_UNKNOWN'));
  await assert.rejects(client.request('state/overview', { run: 'none' }), code('RUN_UNKNOWN'));
});

test('runs a prompt; tokens arrive as events in order, and add up to the run', async () => {
  const { id } = await client.request('runs/start', recipe('tiny-rwkv7'));
  await ended(client, id);
  const { tokenInfos, status, error } = await client.request('runs/get', { run: id });
  assert.equal(status, 'done', JSON.stringify(error));
  const streamed = client.events.flatMap((fired) =>
    fired.event === 'runs/tokens' && fired.payload.run === id ? fired.payload.tokens : [],
  );
  assert.deepEqual(streamed, tokenInfos);
  assert.deepEqual(
    tokenInfos.map(({ index }) => index),
    tokenInfos.map((_, index) => index),
  );
  const probe = await client.request('probe/read', { run: id, probe: 'blocks.0.resid_pre' });
  assert.ok(probe.data instanceof Float32Array);
  assert.equal(
    probe.data.length,
    probe.shape.reduce((a, b) => a * b, 1),
  );
  assert.equal(probe.shape[0], tokenInfos.length);
});

test('answers at once while a model runs, and a stopped run ends early', async () => {
  const { id } = await client.request(
    'runs/start',
    recipe('tiny-llama', { maxTokens: 4000, sampling: { temperature: 1, topK: null, topP: null, seed: 1 } }),
  );
  await client.event(({ event, payload }) => event === 'runs/tokens' && payload.run === id);
  const waits: number[] = [];
  for (let i = 0; i < 20; i++) {
    const asked = performance.now();
    await client.request('models/list', {});
    waits.push(performance.now() - asked);
  }
  const stopped = client.event(
    ({ event, payload }) => event === 'runs/changed' && payload.run.id === id && payload.run.status === 'stopped',
  );
  await client.request('runs/stop', { run: id });
  const { payload } = await stopped;
  assert.ok('run' in payload && typeof payload.run === 'object' && payload.run.tokens < 4000);
  const median = waits.sort((a, b) => a - b)[10] ?? Number.POSITIVE_INFINITY;
  assert.ok(median < 100, `median answer took ${median} ms`);
});

test('requests in flight are answered independently of each other', async () => {
  const results = await Promise.allSettled([
    client.request('models/inspect', { path: model('tiny-llama') }),
    client.request('models/inspect', { path: '/nowhere' }),
    client.request('lab/doctor', {}),
    client.request('runs/list', {}),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
  );
});

test('after a crash, models and runs are restored under their old ids, and computed again', async () => {
  const crashed = await start();
  const { id } = await crashed.request('runs/start', recipe('tiny-mamba'));
  await ended(crashed, id);
  const before = await crashed.request('runs/get', { run: id });
  crashed.child.kill('SIGKILL');
  await crashed.exit;

  const again = await start('--restore');
  const { payload } = await again.event(({ event }) => event === 'restored');
  assert.ok('runs' in payload && payload.runs.includes(id));
  await ended(again, id);
  const after = await again.request('runs/get', { run: id });
  assert.deepEqual(after.tokenInfos, before.tokenInfos);
  assert.equal(after.created, before.created);
  assert.deepEqual(
    (await again.request('models/list', {})).map(({ path }) => path),
    [model('tiny-mamba')],
  );
  await again.close();
});

test('without --restore nothing is opened by itself', async () => {
  const fresh = await start();
  assert.deepEqual(await fresh.request('models/list', {}), []);
  assert.deepEqual(await fresh.request('runs/list', {}), []);
  assert.ok(fresh.events.every(({ event }) => event !== 'restored'));
  await fresh.close();
});
