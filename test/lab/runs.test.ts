import assert from 'node:assert/strict';
import { copyFile, cp, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { writeSafetensors } from '../../server/formats/writeSafetensors.js';
import type { LabSequence } from '../../server/lab/models.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { code } from '../code.js';
import { readOracle } from '../parity/oracle.js';
import type { Fired } from '../protocol/heard.js';
import { embedded, type OpenLab, openLab, recipe } from './harness.js';

let it: OpenLab;
before(() => {
  it = openLab();
});
after(() => it.lab.dispose());

const llama = embedded('tiny-llama');
const ids = async (name: string, key: string) => [...((await readOracle(name)).get(key) as Tensor).data];

for (const name of ['tiny-llama', 'tiny-mamba', 'tiny-rwkv7'])
  test(`${name} continues greedily as the reference, with the reference's probabilities`, async () => {
    const prompt = await ids(name, 'input_ids');
    const greedy = await ids(name, 'greedy.ids');
    const run = await it.run({ path: embedded(name), ids: prompt, maxTokens: greedy.length });
    const generated = run.tokenInfos.filter((t) => t.role === 'generated').map((t) => t.id);
    assert.deepEqual(generated, greedy.slice(0, generated.length));
    assert.ok(
      generated.length === greedy.length || (it.lab.models.get(run.model) as LabSequence).stop.has(generated.at(-1) as number),
    );

    const { shape, data } = (await readOracle(name)).get('logits') as Tensor;
    const V = shape[1] as number;
    let loss = 0;
    for (let t = 1; t < prompt.length; t++) {
      const row = Array.from(data.subarray((t - 1) * V, t * V));
      const top = Math.max(...row);
      const weights = row.map((x) => Math.exp(x - top));
      const total = weights.reduce((a, b) => a + b, 0);
      const p = weights.map((w) => w / total);
      const own = p[prompt[t] as number] as number;
      const info = run.tokenInfos[t];
      assert.ok(info && info.probability !== null && info.entropy !== null);
      assert.ok(Math.abs(info.probability - own) < 1e-4, `p of token ${t}: ${info.probability} instead of ${own}`);
      assert.ok(Math.abs((info.surprisal ?? 0) + Math.log2(own)) < 1e-3);
      assert.ok(Math.abs(info.entropy + p.reduce((s, q) => s + (q > 0 ? q * Math.log2(q) : 0), 0)) < 1e-3);
      assert.equal(info.rank, p.filter((q) => q > own).length);
      const best = [...p.keys()].sort((a, b) => (p[b] as number) - (p[a] as number)).slice(0, 8);
      assert.deepEqual(
        info.alternatives.map((a) => a.id),
        best,
      );
      loss -= Math.log(own) / (prompt.length - 1);
    }
    assert.equal(run.tokenInfos[0]?.probability, null);
    assert.ok(Math.abs((run.loss ?? 0) - loss) < 1e-4, `loss ${run.loss} instead of ${loss}`);
    assert.ok(run.memory > 0 && run.prefillMs > 0);
  });

test('tokens of a prompt know their place in it, whatever the alphabet', async () => {
  const prompt = 'Anna 的猫 ate 🍎.';
  const { tokenInfos, promptTokens } = await it.run({ path: llama, prompt });
  assert.equal(tokenInfos.length, promptTokens);
  assert.equal(new TextDecoder().decode(Uint8Array.from(tokenInfos.flatMap((t) => [...t.bytes]))), prompt);
  let end = 0;
  for (const token of tokenInfos) {
    assert.ok((token.start as number) <= (token.end as number) && (token.end as number) >= end);
    end = token.end as number;
  }
  assert.equal(end, prompt.length);
});

test('events tell the run as it goes: queued, prefill, tokens of the prompt at once, each generated one, done', async () => {
  const { id } = await it.run({ path: llama, maxTokens: 3 });
  const own = it.events.filter(
    (f) => 'run' in f.payload && (f.payload.run === id || (f.payload.run as { id?: string }).id === id),
  );
  const told = own.flatMap((f) =>
    f.event === 'runs/changed' ? f.payload.run.status : f.event === 'runs/tokens' ? f.payload.tokens.length : [],
  );
  const prompt = told[2] as number;
  assert.deepEqual(told, ['queued', 'prefill', prompt, 'decode', 1, 1, 1, 'done']);
  const indices = own.flatMap((f) => (f.event === 'runs/tokens' ? f.payload.tokens.map((t) => t.index) : []));
  assert.deepEqual(indices, [...Array(prompt + 3).keys()]);
});

test('a run without a seed gets one, and draws the same tokens again with it', async () => {
  const sampling = { temperature: 1, topK: 50, topP: 0.95, seed: null };
  const first = await it.run({ path: llama, maxTokens: 12, sampling });
  assert.notEqual(first.recipe.sampling.seed, null);
  const again = await it.run({ ...first.recipe });
  assert.deepEqual(
    again.tokenInfos.map((t) => t.id),
    first.tokenInfos.map((t) => t.id),
  );
});

test('a branch keeps the tokens before it and goes on with another', async () => {
  const parent = await it.run({ path: llama, maxTokens: 6 });
  const at = parent.promptTokens + 2;
  const other = parent.tokenInfos[at]?.alternatives[1]?.id as number;
  const branch = await it.over(await it.ask('runs/branch', { run: parent.id, token: at, id: other }));
  const of = (run: typeof parent) => run.tokenInfos.map((t) => t.id);
  assert.deepEqual(of(branch).slice(0, at + 1), [...of(parent).slice(0, at), other]);
  assert.deepEqual(branch.recipe.branch, { run: parent.id, token: at });
  const [read, drawn] = [branch.tokenInfos[at]?.probability, parent.tokenInfos[at]?.alternatives[1]?.probability];
  assert.ok(Math.abs((read as number) - (drawn as number)) < 1e-5, `${read} and ${drawn}`);
  await assert.rejects(it.ask('runs/branch', { run: parent.id, token: 99, id: 1 }), code('TOKEN_UNKNOWN'));
});

test('a run stops within one token, keeps what it has, and can be looked at', async () => {
  const started = await it.ask(
    'runs/start',
    recipe({ path: llama, maxTokens: 400, sampling: { temperature: 1, topK: null, topP: null, seed: 4 } }),
  );
  await it.event((f) => f.event === 'runs/tokens' && f.payload.run === started.id && (f.payload.tokens[0]?.index ?? 0) > 0);
  const have = (await it.ask('runs/get', { run: started.id })).tokens;
  await it.ask('runs/stop', { run: started.id });
  const stopped = await it.over(started);
  assert.equal(stopped.status, 'stopped');
  assert.ok(stopped.tokens <= have + 1, `${stopped.tokens} tokens, ${have} when it was stopped`);
  const row = await it.ask('attention/row', { run: stopped.id, layer: 0, head: 0, query: stopped.tokens - 1 });
  assert.equal(row.weights.data.length, stopped.tokens);
});

test('prefill stops between two pieces of the model', async () => {
  const long = Array.from({ length: 2000 }, (_, i) => 10 + (i % 500));
  const started = await it.ask('runs/start', recipe({ path: llama, ids: long }));
  await it.event((f) => f.event === 'runs/progress' && f.payload.run === started.id);
  await it.ask('runs/stop', { run: started.id });
  const stopped = await it.over(started);
  assert.equal(stopped.status, 'stopped');
  const steps = it.events.filter((f) => f.event === 'runs/progress' && f.payload.run === started.id);
  const told = steps.map((f) => f.payload as { done: number; total: number; what: string });
  assert.ok(told.every(({ total, what }) => total === long.length && what === 'Reading the prompt: token'));
  assert.ok((told.at(-1)?.done as number) < long.length / 2, `token ${told.at(-1)?.done} of ${long.length}`);
});

test('a run that waits for another of its model stops at once', async () => {
  const sampling = { temperature: 1, topK: null, topP: null, seed: 8 };
  const first = await it.ask('runs/start', recipe({ path: llama, maxTokens: 300, sampling }));
  const second = await it.ask('runs/start', recipe({ path: llama, maxTokens: 300, sampling }));
  await it.event((f) => f.event === 'runs/tokens' && f.payload.run === first.id);
  assert.equal((await it.ask('runs/get', { run: second.id })).status, 'queued');
  await it.ask('runs/stop', { run: second.id });
  assert.equal((await it.ask('runs/get', { run: second.id })).status, 'stopped');
  assert.equal((await it.ask('runs/get', { run: first.id })).status, 'decode');
  await it.ask('runs/stop', { run: first.id });
  await it.over(first);
  assert.equal((await it.run({ path: llama })).status, 'done');
  assert.equal((await it.ask('runs/get', { run: second.id })).tokens, 0);
});

test('a run of ids is listed by the text they stand for', async () => {
  const { id: model } = await it.ask('models/open', { path: llama });
  const { pieces } = await it.ask('tokens/encode', { model, text: 'Once upon a time', chat: false });
  const prompt = pieces.map((piece) => piece.id);
  assert.equal((await it.run({ path: llama, ids: prompt })).title, 'Once upon a time');
});

test('a long prompt is listed by its beginning, which is cut between characters and says so', async () => {
  const { title } = await it.run({ path: llama, prompt: `${'a'.repeat(59)}😀 and more` });
  assert.equal(title, `${'a'.repeat(59)}😀…`);
});

test('a run that fails says why, and the next one is not held up', async () => {
  const failed = await it.run({ path: llama, ids: [5, 99_999] });
  assert.equal(failed.status, 'failed');
  assert.equal(failed.error?.code, 'TOKEN_INVALID');
  await assert.rejects(it.ask('attention/row', { run: failed.id, layer: 0, head: 0, query: 0 }), code('TOKEN_INVALID'));
  assert.equal((await it.run({ path: llama })).status, 'done');
});

test('a removed run is gone for good, also when it was running', async () => {
  const started = await it.ask(
    'runs/start',
    recipe({ path: llama, maxTokens: 400, sampling: { temperature: 1, topK: null, topP: null, seed: 5 } }),
  );
  await it.event((f) => f.event === 'runs/tokens' && f.payload.run === started.id);
  await it.ask('runs/remove', { run: started.id });
  await it.run({ path: llama });
  const removed = it.events.findIndex((f) => f.event === 'runs/removed' && f.payload.run === started.id);
  const about = (f: Fired) => (f.event === 'runs/changed' ? f.payload.run.id : f.event === 'runs/tokens' ? f.payload.run : null);
  assert.deepEqual(
    it.events.slice(removed).filter((f) => about(f) === started.id),
    [],
  );
  await assert.rejects(it.ask('runs/get', { run: started.id }), code('RUN_UNKNOWN'));
  assert.ok(!(await it.ask('runs/list', {})).some((run) => run.id === started.id));
});

test('runs of several models go on side by side', async () => {
  const starts = await Promise.all(
    ['tiny-llama', 'tiny-mamba', 'tiny-rwkv7'].map((name) =>
      it.ask(
        'runs/start',
        recipe({ path: embedded(name), maxTokens: 10, sampling: { temperature: 1, topK: null, topP: null, seed: 1 } }),
      ),
    ),
  );
  await Promise.all(starts.map((run) => it.over(run)));
  const order = it.events.flatMap((f) =>
    f.event === 'runs/tokens' && starts.some((s) => s.id === f.payload.run) ? [f.payload.run] : [],
  );
  const firstDone = Math.min(...starts.map((s) => order.lastIndexOf(s.id)));
  for (const { id } of starts) assert.ok(order.indexOf(id) < firstDone, 'each had tokens before any was done');
});

test('a run in int4 is a model of its own, measures its divergence once and copies its dtype', async () => {
  const it = openLab();
  const plain = await it.run({ path: llama });
  const run = await it.run({ path: llama, dtype: 'int4' });
  assert.notEqual(run.model, plain.model);
  assert.equal(plain.recipe.dtype, 'own');
  const model = it.lab.models.get(run.model).info;
  assert.equal(model.dtype, 'F16 as int4');
  assert.ok(model.memory < 0.8 * it.lab.models.get(plain.model).info.memory);
  const measured = await it.ask('runs/divergence', { run: run.id });
  assert.ok(measured.mean > 0 && measured.agreement > 0.5 && measured.tokens === run.promptTokens);
  assert.deepEqual((await it.ask('runs/get', { run: run.id })).divergence, measured);
  assert.match((await it.ask('runs/command', { run: run.id, probes: [] })).command, /--dtype int4/);
  await it.lab.dispose();
});

test('a graph from a file says that the dtype asked for does not apply to it', async () => {
  const graph = path.resolve(import.meta.dirname, '../fixtures/onnx/lm/fused.onnx');
  const asked = openLab({ dtype: 'int4' });
  const { computed, dtype, ignoredDtype } = await asked.ask('models/open', { path: graph });
  assert.deepEqual([computed, dtype, ignoredDtype], ['own', 'F32', 'int4']);
  assert.equal((await asked.ask('models/open', { path: llama })).ignoredDtype, undefined);
  await asked.lab.dispose();
  assert.equal((await it.ask('models/open', { path: graph })).ignoredDtype, undefined);
});

test('a run of a file of ids has its name, and goes on from its tokens when it is branched', async () => {
  const file = path.join(await mkdtemp(path.join(tmpdir(), 'model-lab-test-')), 'words.safetensors');
  await writeSafetensors(file, new Map([['input_ids', { shape: [4], data: Int32Array.of(5, 6, 7, 8) }]]));
  const run = await it.run({ path: llama, prompt: null, inputs: file });
  assert.equal(run.title, 'words.safetensors');
  const branch = await it.over(await it.ask('runs/branch', { run: run.id, token: 2, id: 9 }));
  assert.deepEqual(
    branch.tokenInfos.map(({ id }) => id),
    [5, 6, 9],
  );
  assert.match((await it.ask('runs/command', { run: branch.id, probes: [] })).command, /--ids 5,6,9 --/);
  await rm(path.dirname(file), { recursive: true });
});

test('what is being read of a run that is removed ends with it, and nothing of the run is left on the device', async () => {
  const own = openLab();
  const run = await own.run({ path: llama, ids: Array.from({ length: 600 }, (_, i) => 10 + (i % 90)) });
  const reading = own.ask('attention/thumbnails', { run: run.id, layer: 0, count: 600, sample: false });
  const removing = own.ask('runs/remove', { run: run.id });
  await assert.rejects(own.ask('attention/row', { run: run.id, layer: 0, head: 0, query: 0 }), code('RUN_UNKNOWN'));
  await assert.rejects(reading, code('RUN_UNKNOWN'));
  await removing;
  assert.equal(await own.lab.device.stateBytes(''), 0);
  await own.lab.dispose();
});

test('weights that change on disk belong to no run from before, and the next run opens the new ones', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'changed-'));
  const [model, weights, config] = ['model', 'model/model.safetensors', 'model/config.json'].map((name) =>
    path.join(folder, name),
  );
  const last = async (run: string) => (await it.ask('probe/read', { run, probe: 'blocks.0.mlp.out' })).data;
  try {
    await cp(llama, model as string, { recursive: true });
    const ids = [5, 9, 14, 200];
    const old = await it.run({ path: model as string, ids });
    const before = await last(old.id);
    await writeFile(config as string, `${await readFile(config as string, 'utf8')}\n`);
    const told = await it.run({ path: model as string, ids });
    assert.notEqual(told.model, old.model);
    assert.deepEqual(await last(old.id), before, 'what stands beside the weights was read when they were opened');

    const other = path.join(folder, 'new.safetensors');
    await copyFile(weights as string, other);
    const bytes = await readFile(other);
    bytes.fill(0, bytes.length >> 1);
    await writeFile(other, bytes);
    await rename(other, weights as string);
    await assert.rejects(last(old.id), code('CHECKPOINT_CHANGED'));
    await assert.rejects(it.ask('attention/row', { run: told.id, layer: 0, head: 0, query: 1 }), code('CHECKPOINT_CHANGED'));
    const next = await it.run({ path: model as string, ids });
    assert.equal(it.lab.models.at(next.recipe.path)?.id, next.model);
    assert.notDeepEqual(next.tokenInfos[1]?.probability, old.tokenInfos[1]?.probability);
    assert.ok((await last(next.id)).length > 0);
    for (const open of new Set([old.model, told.model, next.model])) await it.ask('models/close', { model: open });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a generation config that cuts nothing off is none, and runs as it says', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'sampling-'));
  try {
    await cp(llama, folder, { recursive: true });
    const said = { do_sample: true, temperature: 0.7, top_k: 0, top_p: 0 };
    await writeFile(path.join(folder, 'generation_config.json'), JSON.stringify(said));
    const { id, sampling } = await it.ask('models/open', { path: folder });
    assert.deepEqual(sampling, { temperature: 0.7, topK: null, topP: null, seed: null });
    const { status } = await it.run({ path: folder, ids: [5, 9], maxTokens: 2, sampling });
    assert.equal(status, 'done');
    await it.ask('models/close', { model: id });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a run without a token says so', async () => {
  for (const nothing of [{ prompt: '' }, { ids: [] }]) {
    const { status, error } = await it.run({ path: llama, ...nothing });
    assert.deepEqual([status, error?.code], ['failed', 'PROMPT_EMPTY']);
  }
});

test('a model whose weights are not numbers draws nothing and says so; what came before can be looked at', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'not-numbers-'));
  const own = openLab();
  try {
    await cp(llama, folder, { recursive: true });
    const file = path.join(folder, 'model.safetensors');
    const bytes = await readFile(file);
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
    const at = header['model.layers.1.input_layernorm.weight'].data_offsets[0];
    bytes.writeUInt16LE(0x7e00, 8 + length + at); // F16's NaN
    await writeFile(file, bytes);
    const run = await own.run({ path: folder, maxTokens: 4 });
    assert.equal(run.status, 'failed');
    assert.equal(run.error?.code, 'LOGITS_NAN');
    assert.equal(run.tokens, run.promptTokens);
    const nan = async (probe: string) => (await own.ask('probe/read', { run: run.id, probe })).data.some(Number.isNaN);
    assert.equal(await nan('blocks.0.resid_post'), false);
    assert.equal(await nan('blocks.1.ln1'), true);
  } finally {
    await own.lab.dispose();
    await rm(folder, { recursive: true });
  }
});

test('a divergence that several ask for is measured once', async () => {
  const own = openLab();
  const run = await own.run({ path: llama, dtype: 'int4' });
  const [a, b] = await Promise.all([1, 2].map(() => own.ask('runs/divergence', { run: run.id })));
  assert.deepEqual(a, b);
  const told = own.events.filter((f) => f.event === 'runs/changed' && f.payload.run.divergence !== null);
  assert.equal(told.length, 1);
  await own.lab.dispose();
});
