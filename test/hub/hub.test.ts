/** The Hub's client, cache and downloads against a local server that speaks its API, whatever the network does. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import { cachedModels } from '../../server/hub/cache.js';
import { hubEnvironment } from '../../server/hub/environment.js';
import { withLock } from '../../server/hub/lock.js';
import { parseReference } from '../../server/hub/reference.js';
import { HubModels } from '../../server/lab/hubModels.js';
import { summarise } from '../../server/summary.js';
import { openLab } from '../lab/harness.js';
import { COMMIT, TestHub, TOKEN } from './server.js';

const models = path.resolve(import.meta.dirname, '../../media/models');
const llama = path.join(models, 'tiny-llama');
const filesOf = (folder: string) =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name))]));
const gguf = readFileSync(path.resolve(import.meta.dirname, '../fixtures/oracles/gguf_llama_q8_0/model.gguf'));
const blob = new Uint8Array(3_000_000).map((_, i) => (i * 2654435761) >>> 24);

const hub = new TestHub({
  'lab/tiny-llama': { files: filesOf(llama) },
  'lab/gated': { files: filesOf(llama), access: 'gated' },
  'lab/private': { files: filesOf(llama), access: 'private' },
  'lab/quantised': {
    files: { 'README.md': new Uint8Array([1]), 'tiny-Q8_0.gguf': gguf, 'tiny-Q4_K_M.gguf': gguf.subarray(0, gguf.length - 32) },
  },
  'lab/big': { files: { 'config.json': Buffer.from('{}'), 'model.safetensors': blob } },
  'lab/empty': { files: { 'README.md': new Uint8Array([1]) } },
});
const home = mkdtempSync(path.join(tmpdir(), 'model-lab-hub-'));
const saved = { ...process.env };
const never = new AbortController().signal;
const quiet = () => undefined;
const cache = () => hubEnvironment().cache;
const folderOf = (repo: string) => path.join(cache(), `models--${repo.replace('/', '--')}`);

before(() => hub.start());
after(() => {
  hub.stop();
  rmSync(home, { recursive: true, force: true });
});
beforeEach(() => {
  process.env.HF_ENDPOINT = hub.url;
  process.env.HF_HOME = mkdtempSync(path.join(home, 'home-'));
  for (const name of ['HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE', 'HF_TOKEN', 'HF_TOKEN_PATH', 'HF_HUB_OFFLINE'])
    delete process.env[name];
  hub.asked.length = 0;
  Object.assign(hub.misbehave, { drop: null, status: null, corrupt: false, ignoreRanges: false, slow: 0 });
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in saved)) delete process.env[name];
  Object.assign(process.env, saved);
});

const download = (
  repo: string,
  variant: string | null = null,
  progress: (done: number, total: number, what: string) => void = quiet,
) => new HubModels().download(repo, null, variant, never, progress);
const code = (expected: string) => (error: { code: string; hint: string }) => {
  assert.equal(error.code, expected, `${error.code}: ${(error as unknown as Error).message}`);
  return error.hint.length > 15;
};

test('names: ids, revisions, addresses, hf:// paths', () => {
  const parsed = (text: string) => Object.values(parseReference(text));
  assert.deepEqual(parsed('org/name'), ['org/name', null, null]);
  assert.deepEqual(parsed('gpt2'), ['gpt2', null, null]);
  assert.deepEqual(parsed('org/name@v1.0'), ['org/name', 'v1.0', null]);
  assert.deepEqual(parsed('hf://org/name@refs%2Fpr%2F1/a/b.gguf'), ['org/name', 'refs/pr/1', 'a/b.gguf']);
  assert.deepEqual(parsed('https://huggingface.co/org/name/'), ['org/name', null, null]);
  assert.deepEqual(parsed('https://huggingface.co/org/name/tree/main/sub'), ['org/name', 'main', null]);
  assert.deepEqual(parsed('https://hf-mirror.com/org/name/blob/v2/x-Q4_0.gguf?download=true'), ['org/name', 'v2', 'x-Q4_0.gguf']);
  for (const bad of [
    '',
    'a b',
    'a/../b',
    'org/name@../x',
    'hf://org/name/../../x',
    'https://huggingface.co/datasets/org/name',
    '-x/y',
  ])
    assert.throws(() => parseReference(bad), code('HUB_REFERENCE'), bad);
});

test('the environment is that of huggingface_hub', () => {
  assert.equal(hubEnvironment({ HF_HOME: '/h' }).cache, path.join('/h', 'hub'));
  assert.equal(hubEnvironment({ XDG_CACHE_HOME: '/x' }).cache, path.join('/x', 'huggingface', 'hub'));
  assert.equal(hubEnvironment({ HF_HOME: '/h', HF_HUB_CACHE: '/c' }).cache, '/c');
  assert.equal(hubEnvironment({ HF_ENDPOINT: 'http://mirror/' }).endpoint, 'http://mirror');
  assert.deepEqual(
    [hubEnvironment({ HF_HUB_OFFLINE: '1' }).offline, hubEnvironment({ HF_HUB_OFFLINE: '0' }).offline],
    [true, false],
  );
});

test('a preview says what the header of the local file says, without downloading it', async () => {
  const preview = await new HubModels().preview('lab/tiny-llama', null, null, never);
  const local = await summarise(await openCheckpoint(llama));
  const { summary } = preview;
  assert.ok(summary);
  assert.deepEqual(
    { ...summary, path: '', name: '', files: summary.files.map(({ bytes }) => bytes) },
    { ...local, path: '', name: '', files: local.files.map(({ bytes }) => bytes) },
  );
  assert.equal(summary.name, 'lab/tiny-llama');
  assert.equal(summary.files[0]?.path, `hf://lab/tiny-llama@${COMMIT}/model.safetensors`);
  assert.ok(preview.fetched < local.bytes / 10, `${preview.fetched} of ${local.bytes} bytes`);
  assert.deepEqual([preview.commit, preview.variant, preview.gated, preview.authorised], [COMMIT, 'safetensors', false, false]);
  const [variant] = preview.variants;
  assert.deepEqual([variant?.cached, variant?.path], [0, null]);
  assert.ok(variant?.files.some(({ path: name }) => name === 'tokenizer.json') && variant.bytes > local.bytes);
  assert.ok(preview.cache.free > 1e6);
  assert.ok(!existsSync(cache()), 'nothing was written');
});

test('quantisations are a choice; each has its own header', async () => {
  const lab = new HubModels();
  const preview = await lab.preview('lab/quantised', 'main', 'tiny-Q8_0.gguf', never);
  assert.deepEqual(
    preview.variants.map(({ label }) => label),
    ['Q8_0 · tiny-Q8_0.gguf', 'Q4_K_M · tiny-Q4_K_M.gguf'],
  );
  assert.equal(preview.summary?.format, 'gguf');
  assert.ok(preview.summary?.tensors.some(({ dtype }) => dtype === 'Q8_0'));
  const broken = await lab.preview('lab/quantised', 'main', 'tiny-Q4_K_M.gguf', never);
  assert.equal(broken.summary, null);
  assert.match(broken.unreadable?.file ?? '', /^hf:\/\/lab\/quantised@1{40}\/tiny-Q4_K_M\.gguf$/);
  await assert.rejects(download('lab/quantised'), code('HUB_CHOOSE'));
  const file = await download('lab/quantised', 'tiny-Q8_0.gguf');
  assert.deepEqual(readFileSync(file), gguf);
});

test('values can be looked at before a download', async () => {
  const lab = new HubModels();
  const checkpoint = await lab.open(`hf://lab/tiny-llama@${COMMIT}`, never);
  const { readTensor } = await import('../../server/formats/read.js');
  const entry = checkpoint.tensors.get('model.norm.weight');
  const local = await openCheckpoint(llama);
  assert.ok(entry);
  assert.deepEqual(
    await readTensor(checkpoint, entry),
    await readTensor(local, local.tensors.get('model.norm.weight') as typeof entry),
  );
});

test('an address that has expired is asked for again, and a failure is not remembered', async () => {
  const { readTensor } = await import('../../server/formats/read.js');
  const checkpoint = await new HubModels().open(`hf://lab/tiny-llama@${COMMIT}`, never);
  const [first, , , ...others] = [...checkpoint.tensors.values()].filter(({ shape }) => shape.length === 2);
  const last = others.at(-1);
  assert.ok(first && last);
  hub.misbehave.status = { code: 403, times: 1 };
  assert.ok((await readTensor(checkpoint, first)).length > 0);
  hub.misbehave.status = { code: 503, times: 99 };
  await assert.rejects(readTensor(checkpoint, last), code('HUB_UNAVAILABLE'));
  hub.misbehave.status = null;
  const local = await openCheckpoint(llama);
  assert.deepEqual(await readTensor(checkpoint, last), await readTensor(local, local.tensors.get(last.name) as typeof last));
});

test('a download has the layout of the cache: blobs by checksum, refs, links in snapshots', async () => {
  const steps: [number, number][] = [];
  const folder = await download('lab/tiny-llama', null, (done, total) => steps.push([done, total]));
  const repo = folderOf('lab/tiny-llama');
  assert.equal(folder, path.join(repo, 'snapshots', COMMIT));
  assert.equal(readFileSync(path.join(repo, 'refs', 'main'), 'utf8'), COMMIT);
  const weights = readFileSync(path.join(llama, 'model.safetensors'));
  const sha256 = createHash('sha256').update(weights).digest('hex');
  assert.equal(readlinkSync(path.join(folder, 'model.safetensors')), path.join('..', '..', 'blobs', sha256));
  for (const name of ['config.json', 'tokenizer.json', 'model.safetensors'])
    assert.deepEqual(readFileSync(path.join(folder, name)), readFileSync(path.join(llama, name)), name);
  assert.ok(steps.every(([done], i) => done >= (steps[i - 1]?.[0] ?? 0)) && steps.at(-1)?.[0] === steps.at(-1)?.[1]);
  assert.ok(
    hub.downloads('name=model.safetensors').every(({ origin, authorization }) => origin === 'cdn' && authorization === null),
  );
  assert.equal((await summarise(await openCheckpoint(folder))).name, 'lab/tiny-llama');
  assert.deepEqual(
    (await cachedModels(cache())).map(({ repo: name, path: where }) => [name, where]),
    [['lab/tiny-llama', folder]],
  );
  process.env.HF_HUB_CACHE = cache();
  const it = openLab();
  const offered = (await it.ask('models/find', { folders: [] })).filter(({ source }) => source === 'cache');
  assert.deepEqual(
    offered.map(({ name, path: where, format }) => [name, where, format]),
    [['lab/tiny-llama', folder, 'safetensors']],
  );
  const { memory } = await it.ask('models/open', { path: folder });
  assert.deepEqual((await new HubModels().preview('lab/tiny-llama', null, null, never)).memory?.needed, memory);
  await it.lab.dispose();
  hub.asked.length = 0;
  assert.equal(await download('lab/tiny-llama'), folder);
  assert.deepEqual(
    hub.asked.filter(({ url }) => url.includes('/resolve/') || url.includes('name=')),
    [],
    'nothing again',
  );
  const preview = await new HubModels().preview('lab/tiny-llama', null, null, never);
  assert.deepEqual([preview.variants[0]?.path, preview.variants[0]?.cached], [folder, preview.variants[0]?.bytes]);
});

test('a connection that breaks is taken up where it broke', async () => {
  hub.misbehave.drop = { after: 700_000, times: 3 };
  const folder = await download('lab/big');
  assert.deepEqual(new Uint8Array(readFileSync(path.join(folder, 'model.safetensors'))), blob);
  const ranges = hub.downloads('name=model.safetensors').map(({ range }) => Number(/\d+/.exec(range ?? 'bytes=0-')?.[0]));
  assert.equal(ranges.length, 4);
  assert.ok(
    ranges.every((from, i) => i === 0 || from > (ranges[i - 1] as number)),
    ranges.join(),
  );
});

test('one that breaks for good leaves what has come, and nothing in the snapshot; the next goes on', async () => {
  hub.misbehave.drop = { after: 400_000, times: 1 };
  const real = hub.misbehave.drop;
  const controller = new AbortController();
  await assert.rejects(
    new HubModels().download('lab/big', null, null, controller.signal, (done) => {
      if (done > 300_000) controller.abort();
    }),
    code('CANCELLED'),
  );
  const repo = folderOf('lab/big');
  const [incomplete = ''] = readdirSync(path.join(repo, 'blobs')).filter((name) => name.endsWith('.incomplete'));
  const kept = readFileSync(path.join(repo, 'blobs', incomplete)).length;
  assert.ok(kept > 0 && kept < blob.length, `${kept} bytes`);
  assert.ok(!existsSync(path.join(repo, 'snapshots')) && !existsSync(path.join(repo, 'refs')));
  real.times = 0;
  hub.asked.length = 0;
  const folder = await download('lab/big');
  assert.deepEqual(new Uint8Array(readFileSync(path.join(folder, 'model.safetensors'))), blob);
  assert.deepEqual(
    hub.downloads('name=model.safetensors').map(({ range }) => range),
    [`bytes=${kept}-`],
  );
  assert.deepEqual(
    readdirSync(path.join(repo, 'blobs')).filter((name) => name.includes('incomplete')),
    [],
  );
});

test('a server that sends no ranges: what is here is passed over', async () => {
  hub.misbehave.drop = { after: 1_000_000, times: 1 };
  hub.misbehave.ignoreRanges = true;
  const folder = await download('lab/big');
  assert.deepEqual(new Uint8Array(readFileSync(path.join(folder, 'model.safetensors'))), blob);
});

test('what is damaged is thrown away', async () => {
  hub.misbehave.corrupt = true;
  await assert.rejects(download('lab/big'), code('HUB_CHECKSUM'));
  const left = readdirSync(path.join(folderOf('lab/big'), 'blobs')).filter(
    (name) => lstatSync(path.join(folderOf('lab/big'), 'blobs', name)).size > 100,
  );
  assert.deepEqual(left, []);
  assert.ok(!existsSync(path.join(folderOf('lab/big'), 'snapshots')));
  // Damaged by an earlier program: found out before it counts.
  hub.misbehave.corrupt = false;
  const sha256 = createHash('sha256').update(blob).digest('hex');
  writeFileSync(path.join(folderOf('lab/big'), 'blobs', `${sha256}.incomplete`), new Uint8Array(1000));
  await assert.rejects(download('lab/big'), code('HUB_CHECKSUM'));
  await download('lab/big');
});

test('gated, private, missing, revision, file, nothing to run', async () => {
  await assert.rejects(download('lab/gated'), code('HUB_GATED'));
  await assert.rejects(download('lab/private'), code('HUB_NOT_FOUND'));
  await assert.rejects(download('lab/no-such'), code('HUB_NOT_FOUND'));
  await assert.rejects(new HubModels().preview('lab/tiny-llama', 'v9', null, never), code('HUB_REVISION_NOT_FOUND'));
  await assert.rejects(new HubModels().preview('lab/tiny-llama', null, 'other.gguf', never), code('HUB_FILE_NOT_FOUND'));
  await assert.rejects(new HubModels().preview('lab/empty', null, null, never), code('HUB_NO_WEIGHTS'));
});

test('a token opens what it may, and goes to the Hub alone', async () => {
  const lab = new HubModels();
  lab.token = TOKEN;
  for (const repo of ['lab/gated', 'lab/private']) {
    const preview = await lab.preview(repo, null, null, never);
    assert.deepEqual([preview.authorised, preview.summary?.architecture], [true, 'llama']);
    await lab.download(repo, null, null, never, quiet);
  }
  assert.ok(hub.asked.every(({ origin, authorization }) => (origin === 'cdn') === (authorization === null)));
  const wrong = new HubModels();
  wrong.token = 'hf_wrong';
  await assert.rejects(wrong.preview('lab/gated', null, null, never), code('HUB_UNAUTHORIZED'));
  writeFileSync(path.join(process.env.HF_HOME as string, 'token'), `${TOKEN}\n`);
  assert.equal((await new HubModels().preview('lab/gated', null, null, never)).authorised, true, 'that of hf auth login');
});

test('too often, down, behind a proxy, offline', async () => {
  const preview = () => new HubModels().preview('lab/tiny-llama', null, null, never);
  hub.misbehave.status = { code: 429, headers: { 'retry-after': '60' }, times: 1 };
  await assert.rejects(preview(), code('HUB_RATE_LIMITED'));
  hub.misbehave.status = { code: 429, headers: { 'retry-after': '0' }, times: 2 };
  await preview();
  hub.misbehave.status = { code: 503, times: 9 };
  await assert.rejects(preview(), code('HUB_UNAVAILABLE'));
  hub.misbehave.status = { code: 407, times: 1 };
  await assert.rejects(preview(), code('HUB_PROXY'));
  hub.misbehave.status = null;
  process.env.HF_HUB_OFFLINE = '1';
  await assert.rejects(preview(), code('HUB_OFFLINE'));
  delete process.env.HF_HUB_OFFLINE;
  process.env.HF_ENDPOINT = 'http://127.0.0.1:9';
  await assert.rejects(preview(), code('HUB_OFFLINE'));
});

test('a cache that cannot be written is told, and a preview needs none', async () => {
  process.env.HF_HUB_CACHE = path.join(process.env.HF_HOME as string, 'file');
  writeFileSync(process.env.HF_HUB_CACHE, '');
  await assert.rejects(download('lab/tiny-llama'), code('HUB_CACHE_UNWRITABLE'));
  assert.ok((await new HubModels().preview('lab/tiny-llama', null, null, never)).summary);
});

test('a lock is held by one at a time', async () => {
  const file = path.join(process.env.HF_HOME as string, '.locks', 'x.lock');
  const order: string[] = [];
  let waits = () => {};
  const waiting = new Promise<void>((resolve) => {
    waits = resolve;
  });
  let first: Promise<void> | undefined;
  await new Promise<void>((begun) => {
    first = withLock(file, never, quiet, async () => {
      order.push('a begins');
      begun();
      await waiting;
      order.push('a ends');
    });
  });
  await Promise.all([first, withLock(file, never, waits, async () => void order.push('b'))]);
  assert.deepEqual(order, ['a begins', 'a ends', 'b']);
});

test('a snapshot folder that is left over does not make a model', async () => {
  mkdirSync(path.join(cache(), 'models--lab--old', 'snapshots', 'not-a-commit'), { recursive: true });
  mkdirSync(path.join(cache(), 'models--lab--none'), { recursive: true });
  assert.deepEqual(await cachedModels(cache()), []);
});
