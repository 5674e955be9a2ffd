import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { LabError } from '../../server/protocol/errors.js';
import type { Method } from '../../server/protocol/requests.js';
import { schemas } from '../../server/schemas.js';
import { code } from '../code.js';
import { type Client, connect } from './client.js';

const SERVER = path.join(import.meta.dirname, 'borderServer.ts');
const start = () => connect(SERVER, [], ['--import', 'tsx']);

let client: Client;
before(async () => {
  client = await start();
});
after(() => client.close());

test('typed arrays arrive as they were sent, NaN, infinities and −0 included', async () => {
  const { shape, data } = await client.request('probe/read', { run: 'r', probe: 'logits' });
  assert.deepEqual(shape, [4]);
  assert.ok(data instanceof Float32Array);
  assert.deepEqual([...data], [1.5, Number.NaN, Number.NEGATIVE_INFINITY, -0]);
});

test('a coded error keeps its file and offset', async () => {
  await assert.rejects(client.request('models/inspect', { path: '/a/model.gguf' }), (error) => {
    assert.ok(error instanceof LabError);
    const expected = { code: 'FORMAT_BAD', message: 'bad header', hint: 'get another file', file: '/a/model.gguf', offset: 8 };
    assert.deepEqual(error.toData(), expected);
    return true;
  });
});

test('an error that is not ours arrives as INTERNAL', async () => {
  await assert.rejects(client.request('lab/doctor', {}), code('INTERNAL'));
});

test('unknown methods and malformed envelopes are refused', async () => {
  for (const envelope of [
    { method: 'models/eat', params: {} },
    { method: 'toString', params: {} },
    { params: {} },
    [],
    7,
    'models/list',
  ]) {
    await assert.rejects(client.raw(envelope), code('METHOD_UNKNOWN'));
  }
});

test('every method refuses params that are not its own', async () => {
  for (const method of Object.keys(schemas) as Method[]) {
    for (const params of [undefined, null, 3, 'x', [], { extra: 1 }]) {
      await assert.rejects(
        client.raw({ method, params, progress: null }),
        code('PARAMS_INVALID'),
        `${method} ${JSON.stringify(params)}`,
      );
    }
  }
});

const TILE = { run: 'r', layer: 0, head: 0, count: 8, level: 0, row: 0, col: 0, pool: 'max' };
const SAMPLING = { temperature: 0, topK: null, topP: null, seed: null };
const RECIPE = { path: '/m', prompt: 'a', ids: null, chat: false, maxTokens: 1, sampling: SAMPLING, branch: null };

for (const [what, method, params, named] of [
  ['a negative layer', 'attention/thumbnails', { run: 'r', layer: -1, count: 16, sample: false }, 'layer'],
  ['a fraction of a token', 'attention/row', { run: 'r', layer: 0, head: 0, query: 1.5 }, 'query'],
  ['NaN', 'attention/row', { run: 'r', layer: 0, head: 0, query: Number.NaN }, 'query'],
  ['a map of no tokens', 'attention/tile', { ...TILE, count: 0 }, 'count'],
  ['a level beyond all runs', 'attention/tile', { ...TILE, level: 60 }, 'level'],
  ['a pooling that does not exist', 'attention/tile', { ...TILE, pool: 'median' }, 'pool'],
  ['a negative temperature', 'runs/start', { ...RECIPE, sampling: { ...SAMPLING, temperature: -1 } }, 'sampling.temperature'],
  ['a prompt and ids', 'runs/start', { ...RECIPE, ids: [1] }, 'params'],
  ['neither prompt nor ids', 'runs/start', { ...RECIPE, prompt: null }, 'params'],
  ['an empty path', 'models/inspect', { path: '' }, 'path'],
] as const) {
  test(`${what} is refused, and the message says where`, async () => {
    await assert.rejects(client.raw({ method, params, progress: null }), (error) => {
      assert.ok(error instanceof LabError && error.code === 'PARAMS_INVALID');
      assert.match(error.message, new RegExp(`^${method}: .*\\b${named}: `));
      return true;
    });
  });
}

test('a cancelled request ends as CANCELLED, and others are answered while it runs', async () => {
  const open = client.ask('models/open', { path: '/m' }, 'first');
  const progress = await client.event(({ event, payload }) => event === 'progress' && payload.token === 'first');
  assert.deepEqual(progress.payload, { token: 'first', done: 1, total: 3, what: 'weights' });
  assert.deepEqual(await client.request('models/list', {}), []);
  open.cancel();
  await assert.rejects(open.result, code('CANCELLED'));
});

test('progress is sent only to who asked for it', async () => {
  const before = client.events.length;
  const open = client.ask('models/open', { path: '/m' });
  await client.request('models/list', {});
  open.cancel();
  await assert.rejects(open.result, code('CANCELLED'));
  assert.equal(client.events.length, before);
});

for (const [what, method, params] of [
  ['an uncaught exception', 'models/close', { model: 'm' }],
  ['an unhandled rejection', 'runs/stop', { run: 'r' }],
] as const) {
  test(`${what} ends the process with a code and a log`, async () => {
    const doomed = await start();
    doomed.raw({ method, params, progress: null }).catch(() => undefined);
    assert.equal(await doomed.exit, 1);
    assert.match(doomed.stderr(), /uncaught: Error: a (bug|promise)/);
  });
}

test('the process ends when its parent is gone', async () => {
  const orphan = await start();
  orphan.child.disconnect();
  assert.equal(await orphan.exit, 0);
});
