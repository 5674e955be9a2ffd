import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures, readOracle } from './oracle.js';
import { idsOf, open, probe } from './reference.js';

type Oracle = ReadonlyMap<string, Tensor>;

/** What the reference's router of a layer gave: 0 logits, 1 weights, 2 chosen experts. */
const routed = (oracle: Oracle, layer: number, part: 0 | 1 | 2): Tensor | undefined => {
  const key = [...oracle.keys()].find((name) => new RegExp(`^router\\.model\\.layers\\.${layer}\\..*\\.${part}$`).test(name));
  return key === undefined ? undefined : oracle.get(key);
};

/** Weight by expert of each token, 0 for those not chosen: a reference may list the chosen ones in any order. */
function byExpert(experts: Tensor, weights: Tensor, X: number): Tensor {
  const [T, k] = experts.shape as [number, number];
  const data = new Float32Array(T * X);
  for (let i = 0; i < T * k; i++) data[Math.floor(i / k) * X + (experts.data[i] as number)] = weights.data[i] as number;
  return { shape: [T, X], data };
}

for (const family of ['mixtral', 'qwen3_moe', 'gpt_oss', 'deepseek_v2', 'deepseek_v3', 'jamba', 'qwen3_next'])
  test(`${family} sends every token to the reference's experts`, async () => {
    const { device, model, run } = await open(path.join(fixtures, family));
    const oracle = await readOracle(family);
    await run.prefill(idsOf(oracle));
    let seen = 0;
    for (const { index } of model.layers) {
      const logits = routed(oracle, index, 0);
      if (!logits) continue;
      seen++;
      const of = (name: string) => probe(run, `blocks.${index}.${name}`);
      assertClose(`logits of ${index}`, await of('router.logits'), logits);
      const X = logits.shape[1] as number;
      const [experts, weights] = [routed(oracle, index, 2), routed(oracle, index, 1)] as [Tensor, Tensor];
      const [ours, ourWeights] = [await of('router.topk'), await of('router.weights')];
      assertClose(`weights of ${index}`, byExpert(ours, ourWeights, X), byExpert(experts, weights, X));
      assert.ok(
        byExpert(ours, ourWeights, X).data.filter((w) => w > 0).length === ours.data.length,
        'k different experts a token',
      );
      const out = await of('experts.out');
      assert.deepEqual(out.shape, [...experts.shape, model.bound.config.dModel]);
    }
    assert.ok(seen >= 2);
    await device.close();
  });
