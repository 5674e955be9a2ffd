import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import { patchGraph } from '../../server/runtime/onnx/patch.js';
import type { OnnxSequence } from '../../server/runtime/onnx/sequence.js';
import { OnnxSequenceModel } from '../../server/runtime/onnx/sequenceModel.js';
import type { Intervention } from '../../server/runtime/patch.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { readOracle } from '../fixtures/readOracle.js';
import { assertClose } from '../parity/oracle.js';

/** Graphs that the onnx package has edited, run by ONNX Runtime: makePatched.py. */
const folder = path.resolve(import.meta.dirname, '../fixtures/onnx/lm');
const device = new LocalDevice();
after(() => device.close());

interface Names {
  readonly pattern: string;
  readonly mlp: string;
  readonly embed: string;
}
const names = JSON.parse(readFileSync(path.join(folder, 'patched.json'), 'utf8')) as Record<string, Names>;
const expected = await readOracle(path.join(folder, 'patched.safetensors'));
const ids = [...((await readOracle(path.join(folder, 'expected.safetensors'))).get('input_ids') as Tensor).data];

const all = (value: number, rank: number): Tensor => ({ shape: new Array(rank).fill(1), data: Float32Array.of(value) });
const direction = expected.get('direction') as Tensor;
const changes = ({ pattern, mlp, embed }: Names): Record<string, readonly Intervention[]> => ({
  head: [{ probe: pattern, scale: expected.get('head.scale') as Tensor, shift: all(0, 3) }],
  halved: [{ probe: mlp, scale: all(0.5, 2), shift: all(0, 2) }],
  // in no order: the later change acts on what the earlier makes of its value
  steered: [
    { probe: mlp, scale: all(-1, 2), shift: direction },
    { probe: embed, scale: all(1, 2), shift: direction },
  ],
});

async function opened(file: string): Promise<{ readonly model: OnnxSequenceModel; readonly sequence: OnnxSequence }> {
  const model = await OnnxSequenceModel.open(await openCheckpoint(path.join(folder, `${file}.onnx`)), { device, threads: 1 });
  assert.ok(model);
  const sequence = await model.start();
  await sequence.prefill(ids);
  return { model, sequence };
}

for (const [file, own] of Object.entries(names))
  test(`${file}: logits with inner values changed are those of an edited graph, and the run stays as it is`, async () => {
    const { model, sequence } = await opened(file);
    try {
      const before = await sequence.logits({ from: 0, to: ids.length });
      for (const [what, asked] of Object.entries(changes(own)))
        assertClose(`${what}.${file}`, await patchGraph(sequence, asked), expected.get(`${what}.${file}`) as Tensor);
      assert.deepEqual(await sequence.logits({ from: 0, to: ids.length }), before);
      const nothing = [{ probe: own.mlp, scale: all(1, 2), shift: all(0, 2) }];
      assertClose('logits', await patchGraph(sequence, nothing), { shape: [ids.length, model.vocab], data: before });
    } finally {
      await model.close();
    }
  });

test('names of blocks say the same values; what nothing in the graph reads is refused, and wrong sizes', async () => {
  const { model, sequence } = await opened('dynamo_eager');
  const scale = expected.get('head.scale') as Tensor;
  try {
    const named = await patchGraph(sequence, [{ probe: 'blocks.0.attn.pattern', scale, shift: all(0, 3) }]);
    assertClose('head', named, expected.get('head.dynamo_eager') as Tensor);
    const refused = (change: Intervention, code: string) => assert.rejects(patchGraph(sequence, [change]), { code });
    await refused({ probe: 'nothing', scale: all(0, 2), shift: all(0, 2) }, 'PROBE_UNKNOWN');
    await refused({ probe: 'blocks.0.resid_pre', scale, shift: all(0, 2) }, 'INTERVENTION_SHAPE');
  } finally {
    await model.close();
  }
  const fused = await opened('genai_fp32');
  try {
    const pattern = { probe: 'blocks.0.attn.pattern', scale, shift: all(0, 3) };
    await assert.rejects(patchGraph(fused.sequence, [pattern]), { code: 'PROBE_UNREACHABLE' });
  } finally {
    await fused.model.close();
  }
});
