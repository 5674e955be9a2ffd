import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { Exact } from '../../server/graph/exact/tensor.js';
import { interpret } from '../../server/graph/interpreter.js';
import { buildSegment } from '../../server/graph/segment.js';
import type { HostTensor } from '../../server/runtime/elements.js';
import type { EncoderModel } from '../../server/runtime/encoder.js';
import type { TowerPass } from '../../server/runtime/towerPass.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { allProbes, both, encoderSubjects, noise, whole } from '../graph/segments.js';
import { givenTo, inputsOf, openEncoder } from './encoderReference.js';
import { assertClose, fixtures, readOracle } from './oracle.js';

const single = ({ shape, data }: Exact): Tensor => ({ shape, data: Float32Array.from(data) });
const host = ({ dims, data }: HostTensor): Tensor => ({ shape: dims, data: data as Float32Array });

const families = ['vit', 'dinov2', 'clip', 'siglip', 'vim', 'bert'];

for (const family of [
  ...families,
  ...['dinov2_swiglu', 'dinov2_registers', 'roberta_masked', 'clip_many'].map((name) => `../oracles_encoders/${name}`),
])
  test(`${path.basename(family)}: ONNX Runtime computes what the graph says, every probe`, async () => {
    const { begin, close } = await openEncoder(path.join(fixtures, family), await readOracle(family));
    const pass = begin();
    for (const [tower, s] of await encoderSubjects(family)) {
      const results = await both(s, allProbes(s), givenTo(pass, tower));
      for (const [name, [x, y]] of results) assertClose(name, host(y), single(x), 5e-5);
      await s.store.close();
    }
    await close();
  });

/** A place to intervene of each kind. */
const places: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  vit: {
    '': ['patch_embed', 'embed', 'blocks.0.attn.pattern', 'blocks.1.attn.scores', 'blocks.1.mlp.post', 'ln_final', 'logits'],
  },
  bert: { '': ['embed', 'blocks.0.attn.q', 'blocks.1.resid_mid', 'pooler'] },
  clip: { vision: ['blocks.0.resid_post'], text: ['blocks.0.attn.scores', 'blocks.1.attn.z'] },
  siglip: { vision: ['head.pattern'], text: ['blocks.1.attn.v'] },
  vim: { '': ['blocks.0.mixer.decay_bwd', 'blocks.1.mixer.conv_fwd'] },
};

for (const [family, towers] of Object.entries(places))
  test(`${family}: a patched pass is the exact model with that value changed`, async () => {
    const { begin, close } = await openEncoder(path.join(fixtures, family), await readOracle(family));
    const pass = begin();
    const subjects = await encoderSubjects(family);
    for (const [tower, names] of Object.entries(towers))
      for (const name of names) {
        const s = subjects.get(tower) as NonNullable<ReturnType<typeof subjects.get>>;
        const own = pass.towers.get(tower) as TowerPass;
        const { dims } = (await own.read([name])).get(name) as HostTensor;
        const shape = dims.slice(1);
        const [scale, shift] = [noise(5, shape, 0.5), noise(6, [...shape.slice(0, -1), 1], 0.3)];
        const batched = ({ shape, data }: Exact): Exact => ({ shape: [1, ...shape], data });
        const { graph } = buildSegment(s.bound, { ...whole(s), interventions: new Set([name]) });
        const given = { ...givenTo(pass, tower), [`${name}.scale`]: batched(scale), [`${name}.shift`]: batched(shift) };
        const expected = interpret(graph, given, s.weight);
        const patched = await own.patch([{ probe: name, scale: single(scale), shift: single(shift) }]);
        assert.deepEqual(new Set(patched.keys()), new Set(expected.keys()));
        for (const [output, value] of expected)
          assertClose(`${name} → ${output}`, host(patched.get(output) as HostTensor), single(value));
      }
    await close();
  });

/** The number whose gradient a reference holds. */
const scores: Readonly<Record<string, (read: (name: string) => Promise<Float32Array>) => Promise<number>>> = {
  vit: async (read) => Math.max(...(await read('logits'))),
  vim: async (read) => Math.max(...(await read('logits'))),
  dinov2: async (read) => Math.hypot(...(await read('pooler'))),
  clip: async (read) => (await read('logits_per_image'))[0] as number,
  siglip: async (read) => (await read('logits_per_image'))[0] as number,
};

const scoreOf = (model: EncoderModel, inputs: ReadonlyMap<string, HostTensor>, family: string) => {
  const pass = model.begin(inputs);
  return (scores[family] as NonNullable<(typeof scores)[string]>)(
    async (name) => ((await pass.read([name])).get(name) as HostTensor).data as Float32Array,
  );
};

for (const family of Object.keys(scores))
  test(`${family}: the score moves with the pixels as the reference's gradient says`, async () => {
    const oracle = await readOracle(family);
    const { model, close } = await openEncoder(path.join(fixtures, family), oracle);
    const inputs = inputsOf(oracle);
    const { dims, data } = inputs.get('pixel_values') as HostTensor;
    const gradient = (oracle.get('saliency.pixel_grad') as Tensor).data;
    const moved = (direction: Float32Array, step: number) =>
      new Map(inputs).set('pixel_values', {
        type: 'float32',
        dims,
        data: (data as Float32Array).map((x, i) => x + step * (direction[i] as number)),
      });
    if (oracle.has('saliency.score'))
      assertClose(
        'score',
        { shape: [1], data: Float32Array.of(await scoreOf(model, inputs, family)) },
        oracle.get('saliency.score') as Tensor,
      );
    for (let k = 0; k < 6; k++) {
      const direction = Float32Array.from(noise(20 + k, [data.length]).data);
      const expected = direction.reduce((sum, d, i) => sum + d * (gradient[i] as number), 0);
      const step = 2e-3;
      const [up, down] = [
        await scoreOf(model, moved(direction, step), family),
        await scoreOf(model, moved(direction, -step), family),
      ];
      assert.ok(
        Math.abs((up - down) / (2 * step) - expected) <= 2e-3 * (1 + Math.abs(expected)),
        `${family} along ${k}: ${(up - down) / (2 * step)} instead of ${expected}`,
      );
    }
    await close();
  });
