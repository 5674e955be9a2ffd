import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { continuation } from '../../server/continuation.js';
import { openModel } from '../../server/open.js';
import { OnnxSequenceModel } from '../../server/runtime/onnx/sequenceModel.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { readOracle } from '../fixtures/readOracle.js';
import { assertClose } from '../parity/oracle.js';

/** A tiny Llama as PyTorch, ONNX Runtime and onnxruntime-genai write it, held to what PyTorch computes (test/fixtures/onnx/makeLanguageModels.py). */
const folder = 'test/fixtures/onnx/lm';
const device = new LocalDevice();
after(() => device.close());
const greedy = { temperature: 0, topK: null, topP: null, seed: null };

const expected = await readOracle(`${folder}/expected.safetensors`);
const of = (name: string) => expected.get(name) as Tensor;
const ids = [...of('input_ids').data];
const open = (file: string) => openModel(`${folder}/${file}.onnx`, { device, threads: 1 });

const files = ['torchscript_eager', 'torchscript_sdpa', 'dynamo_eager', 'dynamo_attention23', 'genai_fp32', 'uncached'];
const probes = [...expected.keys()].filter((name) => /^(blocks\.|embed$|ln_final$)/.test(name));

for (const file of files)
  test(`${file}: logits, streams, patterns, cache and greedy tokens are PyTorch's`, async () => {
    const { model, stop } = await open(file);
    assert.ok(model instanceof OnnxSequenceModel);
    assert.deepEqual([model.vocab, model.dModel, model.layers.length], [101, 48, 2]);
    const cached = file !== 'uncached';
    for (const { heads, kvHeads, headDim, attention, arithmetic, state } of model.layers) {
      assert.deepEqual([heads, kvHeads, headDim, state.length], [6, cached ? 2 : 6, 16, cached ? 2 : 0]);
      assert.ok(arithmetic && Math.abs((attention?.scale ?? 0) - 1 / Math.sqrt(16)) < 1e-6);
    }
    // in two parts, so that the second meets a cache
    const run = await model.start();
    await run.prefill(ids.slice(0, 9));
    await run.prefill(ids.slice(9));
    assertClose('logits', { shape: [ids.length, 101], data: await run.logits({ from: 0, to: ids.length }) }, of('logits'));
    const wanted = probes.filter((name) => cached || !name.includes('.state.'));
    const read = await run.probes(wanted);
    for (const name of wanted) assertClose(name, read.get(name) as Tensor, of(name));
    // a stretch of tokens, from the rows of the cache before it
    const part = await run.probes(['blocks.1.attn.pattern', 'blocks.1.attn.z'], { range: { from: 6, to: 10 } });
    const pattern = of('blocks.1.attn.pattern');
    const rows = Array.from(
      { length: 6 * 4 * 10 },
      (_, i) => pattern.data[(Math.floor(i / 40) * 14 + 6 + (Math.floor(i / 10) % 4)) * 14 + (i % 10)],
    );
    assertClose('pattern of 6…9', part.get('blocks.1.attn.pattern') as Tensor, {
      shape: [6, 4, 10],
      data: Float32Array.from(rows as number[]),
    });
    const z = of('blocks.1.attn.z').data.subarray(6 * 96, 10 * 96);
    assertClose('z of 6…9', part.get('blocks.1.attn.z') as Tensor, { shape: [4, 6, 16], data: z });
    const next: number[] = [];
    for await (const id of continuation(run, 5, greedy, stop, true)) next.push(id);
    assert.deepEqual(next, [...of('greedy').data]);
    assert.equal(run.ids.length, ids.length + 5);
    assert.equal(await run.stateBytes(0), cached ? 2 * 2 * 19 * 16 * 4 : 0);
    await run.close();
    await model.close();
  });

test('queries and keys make the scores that the softmax gets, in every spelling', async () => {
  for (const file of files) {
    const { model } = await open(file);
    const run = await model.start();
    await run.prefill(ids);
    const read = await run.probes(['q', 'k', 'scores', 'pattern'].map((name) => `blocks.1.attn.${name}`));
    const [q, k, scores, pattern] = ['q', 'k', 'scores', 'pattern'].map(
      (name) => read.get(`blocks.1.attn.${name}`) as Tensor,
    ) as [Tensor, Tensor, Tensor, Tensor];
    const K = model.layers[1]?.kvHeads as number;
    assert.deepEqual(
      [q.shape, k.shape, scores.shape],
      [
        [6, 14, 16],
        [K, 14, 16],
        [6, 14, 14],
      ],
    );
    for (let head = 0; head < 6; head++)
      for (let query = 0; query < 14; query++)
        for (let key = 0; key < 14; key++) {
          const group = Math.floor((head * K) / 6);
          let dot = 0;
          for (let e = 0; e < 16; e++)
            dot += (q.data[(head * 14 + query) * 16 + e] as number) * (k.data[(group * 14 + key) * 16 + e] as number);
          const at = (head * 14 + query) * 14 + key;
          const score = scores.data[at] as number;
          if (key > query) assert.ok(score < -1e30 && pattern.data[at] === 0, `${file}: a key behind its query`);
          else assert.ok(Math.abs(dot / Math.sqrt(16) - score) < 1e-4, `${file}: ${dot / Math.sqrt(16)} instead of ${score}`);
        }
    await run.close();
    await model.close();
  }
});

test('weights of four bits: the logits are those of ONNX Runtime on the whole prompt, the pattern is of them', async () => {
  const { model } = await open('genai_int4');
  const run = await model.start();
  await run.prefill(ids.slice(0, 4));
  await run.prefill(ids.slice(4));
  assertClose(
    'logits',
    { shape: [ids.length, 101], data: await run.logits({ from: 0, to: ids.length }) },
    of('int4.logits'),
    2e-3,
  );
  const pattern = (await run.probes(['blocks.0.attn.pattern'])).get('blocks.0.attn.pattern') as Tensor;
  for (let row = 0; row < 6 * 14; row++)
    assert.ok(Math.abs(pattern.data.subarray(row * 14, (row + 1) * 14).reduce((a, b) => a + b, 0) - 1) < 1e-5);
  await run.close();
  await model.close();
});

test('ONNX Runtime’s Attention and MultiHeadAttention: patterns rebuilt from their inputs', async () => {
  const { model } = await open('fused');
  const fused = [...of('fused.ids').data];
  const run = await model.start();
  await run.prefill(fused.slice(0, 5));
  await run.prefill(fused.slice(5));
  assertClose('logits', { shape: [9, 31], data: await run.logits({ from: 0, to: 9 }) }, of('fused.logits'));
  const read = await run.probes([
    'blocks.0.attn.pattern',
    'blocks.1.attn.pattern',
    'blocks.0.resid_post',
    'blocks.1.resid_post',
    'blocks.0.attn.q',
  ]);
  for (const i of [0, 1]) {
    assertClose(`pattern ${i}`, read.get(`blocks.${i}.attn.pattern`) as Tensor, of(`fused.${i}.pattern`));
    assertClose(`stream ${i}`, read.get(`blocks.${i}.resid_post`) as Tensor, of(`fused.${i}.post`));
  }
  assertClose('q', read.get('blocks.0.attn.q') as Tensor, of('fused.0.q'));
  await run.close();
  await model.close();
});

test('any value of the graph is a probe of the run', async () => {
  const { model } = await open('dynamo_eager');
  const run = await model.start();
  await run.prefill(ids);
  const inner = (model as OnnxSequenceModel).inspections.probes.names;
  assert.ok(inner.length > 150);
  for (const name of inner.filter((_, i) => i % 7 === 0)) assert.ok((await run.probes([name])).get(name), name);
  await assert.rejects(run.probes(['no.such.value']), { code: 'PROBE_UNKNOWN' });
  await assert.rejects(run.prefill([101]), { code: 'TOKEN_INVALID' });
  await run.close();
  await model.close();
});
