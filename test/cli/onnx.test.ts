import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { readRaw } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { writeSafetensors } from '../../server/formats/writeSafetensors.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { withTokenizer, words } from '../fixtures/onnx/wordTokenizer.js';
import { readOracle } from '../fixtures/readOracle.js';
import { assertClose } from '../parity/oracle.js';
import { cli, root } from './command.js';

/** ONNX graphs on the command line, held to PyTorch, NumPy and ONNX's own reference (test/fixtures/onnx/make*.py). */
const fixtures = path.join(root, 'test/fixtures/onnx');
const folder = mkdtempSync(path.join(tmpdir(), 'model-lab-onnx-'));
after(() => rmSync(folder, { recursive: true }));

let runs = 0;
async function run(model: string, ...args: string[]): Promise<{ readonly file: string; readonly tensors: Map<string, Tensor> }> {
  const file = path.join(folder, `${++runs}.safetensors`);
  const { status, stderr } = cli('run', model, ...args, '--out', file);
  assert.equal(status, 0, stderr);
  return { file, tensors: await readOracle(file) };
}

/** The code of an error of the command line. */
function refused(...args: string[]): string {
  const out = path.join(folder, 'refused.safetensors');
  const { status, stderr } = cli(...args, '--out', out);
  assert.equal(status, 2, `${args.join(' ')} was not refused`);
  assert.ok(!existsSync(out), 'nothing is half written');
  return /^error\[(\w+)\]: .+ \(.+\)\n$/.exec(stderr)?.[1] ?? stderr;
}

const expected = await readOracle(path.join(fixtures, 'lm/expected.safetensors'));
const of = (name: string) => expected.get(name) as Tensor;
const ids = [...of('input_ids').data];
const chat = withTokenizer('lm/torchscript_eager.onnx', path.join(folder, 'chat'), 101);

test('inspect: inputs, outputs, probes and operators of a graph; its parts', () => {
  const said = JSON.parse(cli('inspect', chat).stdout);
  assert.equal(said.architecture, 'onnx');
  assert.deepEqual(
    said.inputs
      .slice(0, 2)
      .map(({ name, dtype, shape }: { name: string; dtype: string; shape: unknown[] }) => [name, dtype, shape]),
    [
      ['input_ids', 'int64', ['batch_size', 'sequence_length']],
      ['attention_mask', 'int64', ['batch_size', 'total_sequence_length']],
    ],
  );
  assert.deepEqual(said.outputs, ['logits', ...[0, 1].flatMap((i) => [`present.${i}.key`, `present.${i}.value`])]);
  assert.equal(said.tokenizer.vocabSize, 101);
  assert.equal(said.metadata.operators.MatMul, 19);
  for (const probe of ['blocks.i.attn.pattern', 'blocks.i.resid_mid', '/inner/model/layers.1/mlp/Mul_output_0'])
    assert.ok(said.probes.includes(probe), probe);
  const { parts } = JSON.parse(cli('inspect', chat, '--graph', 'outline').stdout);
  assert.deepEqual(
    parts.map(({ part }: { part: unknown }) => part),
    ['embed', 0, 1, 'head'],
  );
  const block = JSON.parse(cli('inspect', chat, '--graph', '1').stdout);
  assert.ok(block.groups.some(({ title }: { title: string }) => title === 'self_attn'));
  assert.ok(block.nodes.some(({ op }: { op: string }) => op === 'Softmax'));
});

test('run --prompt: a tokenizer beside the graph, logits, probes and greedy tokens of PyTorch', async () => {
  const prompt = words(ids);
  const value = '/inner/model/layers.1/Add_output_0';
  const { tensors } = await run(
    chat,
    '--prompt',
    prompt,
    '--probe',
    'blocks.*.attn.pattern',
    '--probe',
    value,
    '--generate',
    '5',
  );
  assert.deepEqual([...(tensors.get('input_ids')?.data ?? [])], ids);
  assertClose('logits', tensors.get('logits') as Tensor, of('logits'));
  for (const i of [0, 1])
    assertClose(`pattern ${i}`, tensors.get(`blocks.${i}.attn.pattern`) as Tensor, of(`blocks.${i}.attn.pattern`));
  assertClose(value, tensors.get(value) as Tensor, of('blocks.1.resid_mid'));
  assert.deepEqual([...(tensors.get('generated')?.data ?? [])], [...of('greedy').data]);
});

test('run --inputs: tensors by name, from .safetensors and from an array alone, and inner values', async () => {
  const mlp = path.join(fixtures, 'external/model.onnx');
  const reference = await readOracle(path.join(fixtures, 'external.safetensors'));
  for (const inputs of [path.join(fixtures, 'external.safetensors'), path.join(root, 'test/fixtures/formats/arrays/given.npy')]) {
    const { tensors } = await run(mlp, '--inputs', inputs, '--probe', 'hidden', '--probe', 'plain');
    for (const name of ['x', 'y', 'hidden', 'plain'])
      assertClose(name, tensors.get(name) as Tensor, reference.get(name) as Tensor);
  }
  const bert = await readOracle(path.join(fixtures, 'encoder/expected.safetensors'));
  const { tensors } = await run(
    path.join(fixtures, 'encoder/bert.onnx'),
    ...['--inputs', path.join(fixtures, 'encoder/expected.safetensors'), '--probe', 'blocks.i.attn.pattern'],
  );
  for (const name of ['last_hidden_state', 'pooler_output', 'blocks.1.attn.pattern'])
    assertClose(name, tensors.get(name) as Tensor, bert.get(name) as Tensor);
});

test('outputs keep their own type, also where JavaScript has none for it', async () => {
  const { x, codes } = JSON.parse(readFileSync(path.join(fixtures, 'narrow.json'), 'utf8')) as {
    x: string[];
    codes: Record<string, number[]>;
  };
  const inputs = path.join(folder, 'x.safetensors');
  await writeSafetensors(inputs, new Map([['x', { shape: [x.length], data: Float32Array.from(x, Number) }]]));
  const { file } = await run(path.join(fixtures, 'narrow.onnx'), '--inputs', inputs);
  const written = await openCheckpoint(file);
  for (const [name, wanted] of Object.entries(codes)) {
    const entry = written.tensors.get(name);
    assert.ok(entry);
    assert.equal(entry.dtype, name);
    const bytes = await readRaw(written, entry);
    const found = name === 'BF16' ? [...new Uint16Array(bytes.buffer)] : [...bytes];
    // the last is no number, of which there are several
    assert.deepEqual(found.slice(0, -1), wanted.slice(0, -1), name);
  }
});

test('what a graph cannot be given or asked is a coded error', async () => {
  const mlp = path.join(fixtures, 'external/model.onnx');
  const given = path.join(root, 'test/fixtures/formats/arrays/given.npy');
  const wrong = path.join(folder, 'wrong.safetensors');
  await writeSafetensors(wrong, new Map([['x', { shape: [2, 5], data: new Float32Array(10) }]]));
  const other = path.join(folder, 'other.safetensors');
  await writeSafetensors(other, new Map(['a', 'b'].map((name) => [name, { shape: [1], data: new Float32Array(1) }])));
  assert.equal(refused('run', mlp, '--inputs', wrong), 'INPUT_SHAPE');
  assert.equal(refused('run', mlp, '--inputs', other), 'INPUT_MISSING');
  assert.equal(refused('run', mlp, '--inputs', given, '--probe', 'nothing'), 'PROBE_UNKNOWN');
  assert.equal(refused('run', mlp, '--inputs', path.join(fixtures, 'formats')), 'FILE_NOT_FOUND');
  assert.equal(refused('run', mlp, '--prompt', 'a text'), 'INPUT_UNKNOWN');
  assert.equal(refused('run', mlp), 'USAGE');
  assert.equal(refused('inspect', chat, '--roofline', '--machine', 'h100', '--dtype', 'int4'), 'DTYPE_FIXED');
  assert.equal(refused('run', path.join(fixtures, 'lm/uncached.onnx'), '--prompt', 'w1'), 'TOKENIZER_MISSING');
  assert.equal(refused('run', chat, '--ids', '5,101'), 'TOKEN_INVALID');
  assert.equal(refused('run', path.join(fixtures, 'types.onnx'), '--inputs', other), 'INPUT_MISSING');
});
