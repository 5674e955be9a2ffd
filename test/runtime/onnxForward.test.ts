import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import { readInputs } from '../../server/readInputs.js';
import { floatsOf, type HostTensor } from '../../server/runtime/elements.js';
import type { Inside } from '../../server/runtime/forward.js';
import { OnnxForward } from '../../server/runtime/onnx/forward.js';
import { OnnxSequenceModel } from '../../server/runtime/onnx/sequenceModel.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { readOracle } from '../fixtures/readOracle.js';
import { assertClose } from '../parity/oracle.js';

/** ONNX graphs of one pass, held to what made them (test/fixtures/onnx/make*.py). */
const folder = 'test/fixtures/onnx';
const device = new LocalDevice();
after(() => device.close());
const open = async (file: string) => OnnxForward.open(await openCheckpoint(`${folder}/${file}`), { device, threads: 1 });
const plain = (tensor: HostTensor | undefined): Tensor => ({
  shape: (tensor as HostTensor).dims,
  data: floatsOf(tensor as HostTensor),
});

test('an MLP with weights beside it: outputs and every inner value', async () => {
  const expected = await readOracle(`${folder}/external.safetensors`);
  const forward = await open('external/model.onnx');
  assert.deepEqual(forward.inputs, [{ name: 'x', dtype: 'float32', shape: ['n', 3], optional: false }]);
  const pass = forward.begin(
    await readInputs(`${folder}/external.safetensors`).then((all) => new Map([['x', all.get('x') as HostTensor]])),
  );
  const read = await pass.read(['y', 'hidden', 'active', 'plain']);
  for (const [name, tensor] of read) assertClose(name, plain(tensor), expected.get(name) as Tensor);
  assert.throws(() => forward.begin(new Map([['x', { type: 'float32', dims: [2, 4], data: new Float32Array(8) }]])), {
    code: 'INPUT_SHAPE',
  });
  assert.throws(() => forward.begin(new Map([['z', { type: 'float32', dims: [2, 3], data: new Float32Array(6) }]])), {
    code: 'INPUT_UNKNOWN',
  });
  await assert.rejects(pass.read(['nothing']), { code: 'PROBE_UNKNOWN' });
  await forward.close();
});

test('values of branches say why they cannot be read', async () => {
  const forward = await open('types.onnx');
  const pass = forward.begin(new Map([['flag', { type: 'bool', dims: [], data: Uint8Array.of(1) }]]));
  assert.equal((await pass.read(['chosen'])).get('chosen')?.dims.join(), '8,8');
  await assert.rejects(pass.read(['chosen/then_branch/sum']), {
    code: 'PROBE_UNREACHABLE',
    message: /inside then_branch of a If, which may not run/,
  });
  assert.ok(!forward.probes.includes('chosen/then_branch/sum'));
  await forward.close();
});

test('a BERT: outputs, attention both ways, masks filled in when they are not given', async () => {
  const expected = await readOracle(`${folder}/encoder/expected.safetensors`);
  assert.equal(await OnnxSequenceModel.open(await openCheckpoint(`${folder}/encoder/bert.onnx`), { device, threads: 1 }), null);
  const forward = await open('encoder/bert.onnx');
  assert.deepEqual(
    forward.inputs.map(({ name, optional }) => [name, optional]),
    [
      ['input_ids', false],
      ['attention_mask', true],
      ['token_type_ids', true],
    ],
  );
  const given = await readInputs(`${folder}/encoder/expected.safetensors`);
  const ids = given.get('input_ids') as HostTensor;
  for (const [kind, inputs] of [
    [
      '',
      new Map([
        ['input_ids', ids],
        ['token_type_ids', given.get('token_type_ids') as HostTensor],
      ]),
    ],
    ['plain.', new Map([['input_ids', ids]])],
  ] as const) {
    const pass = forward.begin(inputs);
    const read = await pass.read([...pass.outputs, 'blocks.0.attn.pattern', 'blocks.1.attn.pattern']);
    for (const [name, tensor] of read) assertClose(name, plain(tensor), expected.get(kind + name) as Tensor);
    const inside = pass.insides?.get('') as Inside;
    assert.deepEqual(
      inside.layers.map(({ heads, headDim, attention }) => [heads, headDim, attention?.causal]),
      [
        [3, 8, false],
        [3, 8, false],
      ],
    );
    const rows = (await inside.probes(['blocks.1.attn.pattern'], { range: { from: 2, to: 4 } })).get(
      'blocks.1.attn.pattern',
    ) as Tensor;
    assert.deepEqual(rows.shape, [3, 2, 8]);
    assertClose(
      'head 2',
      { shape: [2, 8], data: rows.data.slice(32) },
      { shape: [2, 8], data: (expected.get(`${kind}blocks.1.attn.pattern`) as Tensor).data.slice(2 * 64 + 16, 2 * 64 + 32) },
    );
  }
  await forward.close();
});

test('a language model as a graph of one pass: what is not given is filled in, what is given is used', async () => {
  const expected = await readOracle(`${folder}/lm/expected.safetensors`);
  const forward = await open('lm/torchscript_eager.onnx');
  const ids = [...(expected.get('input_ids') as Tensor).data];
  const tensor = (values: number[]): HostTensor => ({
    type: 'int64',
    dims: [1, values.length],
    data: BigInt64Array.from(values, BigInt),
  });
  const first = await forward.begin(new Map([['input_ids', tensor(ids.slice(0, 9))]])).read(forward.outputs);
  const past = [...first]
    .filter(([name]) => name.startsWith('present'))
    .map(([name, value]) => [name.replace('present', 'past_key_values'), value] as const);
  const second = await forward.begin(new Map([['input_ids', tensor(ids.slice(9))], ...past])).read(['logits', 'present.1.key']);
  const logits = expected.get('logits') as Tensor;
  assertClose('logits', plain(second.get('logits')), { shape: [1, 5, 101], data: logits.data.subarray(9 * 101) });
  assertClose('keys', plain(second.get('present.1.key')), {
    shape: [1, 2, 14, 16],
    data: (expected.get('blocks.1.state.k') as Tensor).data,
  });
  await forward.close();
});

test('a loop gives out what it computes at every step', async () => {
  const expected = await readOracle(`${folder}/recurrent/expected.safetensors`);
  const forward = await open('recurrent/scan.onnx');
  const ids: HostTensor = {
    type: 'int64',
    dims: [1, 12],
    data: BigInt64Array.from((expected.get('ids') as Tensor).data, BigInt),
  };
  const pass = forward.begin(new Map([['input_ids', ids]]));
  const read = await pass.read(['logits', 'S_out/body/S_out', 'S_out/body/norm']);
  assertClose('logits', plain(read.get('logits')), { shape: [1, 12, 37], data: (expected.get('scan.logits') as Tensor).data });
  assertClose('states', plain(read.get('S_out/body/S_out')), {
    shape: [12, 1, 2, 5, 5],
    data: (expected.get('scan.S') as Tensor).data,
  });
  assert.deepEqual(read.get('S_out/body/norm')?.dims, [12, 1, 2, 1, 1]);
  await forward.close();
});
