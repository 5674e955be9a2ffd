import assert from 'node:assert/strict';
import { execSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { TensorEntry } from '../../server/formats/checkpoint.js';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import type { Events } from '../../server/protocol/events.js';
import type { RunInfo } from '../../server/protocol/runs.js';
import { code } from '../code.js';
import { embedded, openLab, recipe } from './harness.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'model-lab-test-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const llama = embedded('tiny-llama');

test('a model is open once, by whatever path it is named and however many ask at once', async () => {
  const it = openLab();
  const link = path.join(folder, 'a link');
  await symlink(llama, link);
  const file = path.join(llama, 'model.safetensors');
  const opened = await Promise.all([llama, link, file, llama].map((p) => it.ask('models/open', { path: p })));
  assert.equal(new Set(opened.map((m) => m.id)).size, 1);
  assert.equal((await it.ask('models/list', {})).length, 1);
  const [model] = opened;
  assert.deepEqual([model?.family, model?.layers.length, model?.hasTokenizer, model?.vocabSize], ['llama', 5, true, 3072]);
  assert.equal(model?.dtype, 'F16');
  await it.lab.dispose();
});

test('closing a model takes its runs with it', async () => {
  const it = openLab();
  const run = await it.run({ path: llama, maxTokens: 2 });
  await it.ask('models/close', { model: run.model });
  assert.deepEqual(await it.ask('models/list', {}), []);
  assert.deepEqual(await it.ask('runs/list', {}), []);
  await assert.rejects(it.ask('attention/row', { run: run.id, layer: 0, head: 0, query: 0 }), code('RUN_UNKNOWN'));
  await assert.rejects(it.ask('models/close', { model: run.model }), code('MODEL_UNKNOWN'));
  await it.lab.dispose();
});

test('a run that starts while its model is closed gets the model anew', async () => {
  const it = openLab();
  const ids = Array.from({ length: 3000 }, (_, i) => 10 + (i % 90));
  const first = await it.ask('runs/start', recipe({ path: llama, ids }));
  await it.event((f) => f.event === 'runs/progress' && f.payload.run === first.id);
  const [, next] = await Promise.all([it.ask('models/close', { model: first.model }), it.run({ path: llama })]);
  assert.notEqual(next.model, first.model);
  assert.equal(next.status, 'done');
  assert.deepEqual(
    (await it.ask('models/list', {})).map(({ id }) => id),
    [next.model],
  );
  assert.ok((await it.ask('attention/row', { run: next.id, layer: 0, head: 0, query: 0 })).weights.data.length > 0);
  await it.lab.dispose();
});

test('a model that does not fit is refused before it is loaded, with what it needs and what there is', async () => {
  const it = openLab({ memoryLimit: 1 << 20 });
  await assert.rejects(it.ask('models/open', { path: llama }), (error) => {
    code('MODEL_TOO_LARGE')(error);
    assert.match((error as Error).message, /needs about \d+(\.\d+)? [MG]B.* \d+(\.\d+)? [MG]B (is|are) available/);
    return true;
  });
  assert.deepEqual(await it.ask('models/list', {}), []);
  await it.lab.dispose();
});

test('the limit is for all models and their runs together', async () => {
  // in int8, which has no smaller form to fall back on
  const dtype = 'int8';
  const measured = openLab({ dtype });
  const { memory } = await measured.ask('models/open', { path: llama });
  const other = await measured.ask('models/open', { path: embedded('tiny-mamba') });
  await measured.lab.dispose();
  const it = openLab({ dtype, memoryLimit: Math.round(memory * 1.5) });
  await it.ask('models/open', { path: llama });
  await assert.rejects(it.ask('models/open', { path: embedded('tiny-mamba') }), code('MODEL_TOO_LARGE'));
  await it.lab.dispose();

  const both = openLab({ dtype, memoryLimit: memory + other.memory + (1 << 20) });
  const run = await both.run({ path: llama, ids: Array.from({ length: 400 }, (_, i) => 10 + i) });
  assert.ok(run.memory > 1 << 20);
  await assert.rejects(both.ask('models/open', { path: embedded('tiny-mamba') }), code('MODEL_TOO_LARGE'));
  await both.ask('runs/remove', { run: run.id });
  assert.equal((await both.ask('models/open', { path: embedded('tiny-mamba') })).name, 'tiny-mamba');
  await both.lab.dispose();
});

test('loading can be cancelled, leaves nothing behind, and can be asked for again at once', async () => {
  const it = openLab();
  const controller = new AbortController();
  const opening = it.ask('models/open', { path: llama }, controller.signal);
  await it.event((f) => f.event === 'models/loading');
  controller.abort();
  const again = it.ask('models/open', { path: llama });
  await assert.rejects(opening, code('CANCELLED'));
  assert.equal((await again).name, 'tiny-llama');
  await it.ask('models/close', { model: (await again).id });
  assert.deepEqual(await it.ask('models/list', {}), []);
  assert.equal((await it.run({ path: llama })).status, 'done');
  await it.lab.dispose();
});

test('one who cancels does not take the model from another who waits for it', async () => {
  const it = openLab();
  const controller = new AbortController();
  const first = it.ask('models/open', { path: llama }, controller.signal);
  const second = it.ask('models/open', { path: llama });
  await it.event((f) => f.event === 'models/loading');
  controller.abort();
  await assert.rejects(first, code('CANCELLED'));
  assert.equal((await second).name, 'tiny-llama');
  await it.lab.dispose();
});

test('after a crash models and runs come back under their ids, with the same tokens', async () => {
  const storage = path.join(folder, 'crash');
  const sampling = { temperature: 1, topK: 40, topP: null, seed: null };
  const crashed = openLab({ storage });
  const first = await crashed.run({ path: llama, maxTokens: 8, sampling });
  const second = await crashed.run({ path: embedded('tiny-mamba'), maxTokens: 4, sampling });
  const removed = await crashed.run({ path: llama });
  await crashed.ask('runs/remove', { run: removed.id });
  const third = await crashed.ask('runs/start', recipe({ path: llama, maxTokens: 300, sampling: { ...sampling, seed: 3 } }));
  await crashed.event(
    (f) => f.event === 'runs/tokens' && f.payload.run === third.id && f.payload.tokens[0]?.role === 'generated',
  );
  await crashed.ask('runs/stop', { run: third.id });
  const stopped = await crashed.over(third);
  await saved(storage, (runs) => runs.length === 3 && runs.some((run) => run.id === third.id && run.recipe.maxTokens < 300));

  // not disposed of: what a crash leaves is the file
  const again = openLab({ storage, restore: true });
  await again.lab.start();
  const restored = await again.event((f) => f.event === 'restored');
  assert.deepEqual((restored.payload as Events['restored']).runs.toSorted(), [first.id, second.id, third.id].sort());
  assert.equal((await again.ask('models/list', {})).length, 2);
  for (const before of [first, second, stopped]) {
    const now = await again.over(before);
    assert.equal(now.created, before.created);
    assert.deepEqual(
      now.tokenInfos.map((t) => t.id),
      before.tokenInfos.map((t) => t.id),
    );
  }
  const next = await again.run({ path: llama });
  assert.ok(![first.id, second.id, third.id].includes(next.id));
  await again.lab.dispose();
  await crashed.lab.dispose();
});

/** Waits until the session on disk says so. */
async function saved(storage: string, says: (runs: readonly RunInfo[]) => boolean): Promise<void> {
  for (let tries = 0; tries < 3000; tries++) {
    const text = await readFile(path.join(storage, 'session.json'), 'utf8').catch(() => '{"runs":[]}');
    if (says(JSON.parse(text).runs)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the session was never saved so');
}

test('without restore nothing runs by itself, and a broken session file is no obstacle', async () => {
  const storage = path.join(folder, 'broken');
  const it = openLab({ storage });
  await it.run({ path: llama });
  await it.lab.dispose();
  const quiet = openLab({ storage });
  await quiet.lab.start();
  assert.deepEqual(await quiet.ask('models/list', {}), []);
  const recent = (await quiet.ask('models/find', { folders: [] })).filter((m) => m.path === llama);
  assert.equal(recent.length, 1);
  await quiet.lab.dispose();
  for (const text of [
    '{"runs": [',
    '[]',
    'null',
    '{"runs": 7, "models": {"a": 1}, "recent": "x"}',
    '{"runs": [{"id": 1}], "models": [5]}',
  ]) {
    await writeFile(path.join(storage, 'session.json'), text);
    const broken = openLab({ storage, restore: true });
    await broken.lab.start();
    assert.equal((await broken.run({ path: llama })).status, 'done', text);
    await broken.lab.dispose();
  }
});

test('a model that is gone is told, and does not keep the others from coming back', async () => {
  const storage = path.join(folder, 'gone');
  const copy = path.join(folder, 'moved');
  await cp(llama, copy, { recursive: true });
  const it = openLab({ storage });
  const lost = await it.run({ path: copy });
  const kept = await it.run({ path: embedded('tiny-rwkv7') });
  await saved(storage, (runs) => runs.length === 2);
  await it.lab.dispose();
  await rm(copy, { recursive: true });
  const again = openLab({ storage, restore: true });
  await again.lab.start();
  assert.equal((await again.over(kept)).status, 'done');
  assert.ok(again.events.some((f) => f.event === 'notice' && f.payload.level === 'warning'));
  await assert.rejects(again.ask('runs/get', { run: lost.id }), code('RUN_UNKNOWN'));
  await again.lab.dispose();
});

test('models are found where they are, each once', async () => {
  const it = openLab();
  const workspace = path.join(folder, 'workspace');
  await cp(embedded('tiny-mamba'), path.join(workspace, 'deep/mine'), { recursive: true });
  const found = await it.ask('models/find', { folders: [workspace, path.join(workspace, 'deep')] });
  assert.deepEqual(
    found.map((m) => `${m.source} ${m.name} ${m.open}`),
    ['embedded tiny-llama null', 'embedded tiny-mamba null', 'embedded tiny-rwkv7 null', 'workspace mine null'],
  );
  const { id } = await it.ask('models/open', { path: path.join(workspace, 'deep/mine') });
  assert.equal((await it.ask('models/find', { folders: [workspace] })).find((m) => m.name === 'mine')?.open, id);
  await it.lab.dispose();
});

test('an exported run holds its tensors and the recipe that computes them again', async () => {
  const it = openLab();
  const run = await it.run({ path: llama, maxTokens: 3 });
  const file = path.join(folder, 'run.safetensors');
  const probes = ['blocks.1.attn.pattern', 'blocks.1.resid_pre', 'blocks.0.state.k', 'logits'];
  const { files } = await it.ask('runs/export', { run: run.id, file, probes });
  assert.deepEqual(files, [file, path.join(folder, 'run.json')]);
  const checkpoint = await openCheckpoint(file);
  const T = run.tokens;
  assert.deepEqual(checkpoint.tensors.get('blocks.1.attn.pattern')?.shape, [6, T, T]);
  assert.deepEqual(checkpoint.tensors.get('logits')?.shape, [T, 3072]);
  const pattern = await readTensor(checkpoint, checkpoint.tensors.get('blocks.1.attn.pattern') as TensorEntry);
  const { weights } = await it.ask('attention/row', { run: run.id, layer: 1, head: 5, query: T - 1 });
  for (const [key, weight] of weights.data.entries()) assert.ok(Math.abs((pattern.at(key - T) as number) - weight) < 1e-6);
  const about = JSON.parse(await readFile(files[1] as string, 'utf8'));
  assert.deepEqual(
    about.ids,
    run.tokenInfos.map((t) => t.id),
  );
  const again = await it.run(about.recipe);
  assert.deepEqual(
    again.tokenInfos.map((t) => t.id),
    about.ids,
  );
  await assert.rejects(
    it.ask('runs/export', { run: run.id, file: path.join(folder, 'x.safetensors'), probes: ['nope'] }),
    code('PROBE_UNKNOWN'),
  );
  assert.ok(!(await readdir(folder)).some((name) => name.startsWith('x.')));
  await it.lab.dispose();
});

test('a command names everything that makes the numbers', async () => {
  const it = openLab();
  const run = await it.run({
    path: llama,
    prompt: "it's a $HOME",
    maxTokens: 2,
    sampling: { temperature: 0.5, topK: 7, topP: 0.9, seed: 11 },
  });
  const { command } = await it.ask('runs/command', { run: run.id, probes: ['blocks.0.attn.pattern'] });
  for (const part of [
    "--prompt 'it'\\''s a $HOME'",
    '--generate 2',
    '--temperature 0.5',
    '--top-k 7',
    '--top-p 0.9',
    '--seed 11',
    '--probe blocks.0.attn.pattern',
  ])
    assert.ok(command.includes(part), `${part} in ${command}`);
  await it.lab.dispose();
});

test('the copied command computes the same tokens and numbers without the lab', async () => {
  const it = openLab();
  const run = await it.run({ path: llama, maxTokens: 5, sampling: { temperature: 0.9, topK: 20, topP: 0.95, seed: 6 } });
  const { command } = await it.ask('runs/command', { run: run.id, probes: ['blocks.2.attn.z'] });
  const out = path.join(folder, 'copied.safetensors');
  const root = path.resolve(import.meta.dirname, '../..');
  const fromSource = command.replace(/^node \S+cli\.js/, 'node --import tsx server/cli.ts').replace('run.safetensors', out);
  execSync(fromSource, { cwd: root });
  const checkpoint = await openCheckpoint(out);
  const read = async (name: string) => [...(await readTensor(checkpoint, checkpoint.tensors.get(name) as TensorEntry))];
  const own = run.tokenInfos.map((t) => t.id);
  assert.deepEqual([...(await read('input_ids')), ...(await read('generated'))], own);
  const z = await it.ask('probe/read', { run: run.id, probe: 'blocks.2.attn.z' });
  for (const [i, value] of (await read('blocks.2.attn.z')).entries()) assert.ok(Math.abs(value - (z.data[i] as number)) < 1e-5);
  await it.lab.dispose();
});

test('the doctor uses what it checks, and says what to do where something is wrong', async () => {
  const it = openLab();
  const { checks } = await it.ask('lab/doctor', {});
  assert.deepEqual(
    checks.filter((c) => c.status === 'failed'),
    [],
  );
  for (const id of ['node', 'native', 'providers', 'memory', `model:${llama}`])
    assert.ok(
      checks.some((c) => c.id === id),
      id,
    );
  assert.match(checks.find((c) => c.id === `model:${llama}`)?.detail ?? '', /llama, 2\.6 M parameters/);
  for (const { status, action } of checks) assert.equal(action === '', status === 'ok');
  await it.lab.dispose();
});

test('a probe that is too large for one message is refused', async () => {
  const it = openLab();
  const run = await it.run({ path: llama, ids: Array.from({ length: 2000 }, (_, i) => 10 + (i % 700)) });
  await assert.rejects(it.ask('probe/read', { run: run.id, probe: 'blocks.0.attn.pattern' }), code('PROBE_TOO_LARGE'));
  const { shape } = await it.ask('probe/read', { run: run.id, probe: 'blocks.0.resid_pre' });
  assert.deepEqual(shape, [2000, 192]);
  await it.lab.dispose();
});
