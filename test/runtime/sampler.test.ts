import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sampling } from '../../server/protocol/models.js';
import { sample } from '../../server/runtime/sampler.js';

const V = 3000;
/** Some with a few likely tokens, some with many. */
const logits = (spread: number) => Float32Array.from({ length: V }, (_, i) => spread * Math.sin(i * 1.7 + Math.cos(i * i)));
const sampled = (given: Partial<Sampling>): Sampling => ({ temperature: 1, topK: null, topP: null, seed: 7, ...given });

/** Probabilities after the cuts, over the whole sorted vocabulary. */
function expected(values: Float32Array, { temperature, topK, topP }: Sampling): Map<number, number> {
  const order = [...values.keys()].sort((a, b) => (values[b] as number) - (values[a] as number)).slice(0, topK ?? V);
  const weights = order.map((i) => Math.exp((values[i] as number) / temperature));
  const total = weights.reduce((a, b) => a + b, 0);
  let mass = 0;
  const kept = weights.filter((weight) => {
    const isIn = mass < (topP ?? 1) * total;
    if (isIn) mass += weight;
    return isIn;
  });
  return new Map(kept.map((weight, i) => [order[i] as number, weight / mass]));
}

for (const spread of [1, 8, 40])
  for (const given of [{}, { topP: 0.9 }, { topP: 0.9999999 }, { topK: 400 }, { topK: 20, topP: 0.8 }, { temperature: 2.5 }])
    test(`draws with ${JSON.stringify(given)} from logits ±${spread} come as often as softmax says`, () => {
      const [values, sampling, draws] = [logits(spread), sampled(given), 4000];
      const counts = new Map<number, number>();
      for (let step = 0; step < draws; step++) {
        const id = sample(values, sampling, 7, step);
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
      const wanted = expected(values, sampling);
      for (const id of counts.keys()) assert.ok(wanted.has(id), `token ${id} is cut off`);
      // as one number that a wrong order, or a cut at the wrong place, moves far: Σ (seen − expected)² / expected over the ten likeliest and the rest
      const likeliest = [...wanted].sort(([, a], [, b]) => b - a).slice(0, 10);
      const rest = 1 - likeliest.reduce((sum, [, p]) => sum + p, 0);
      const seen = likeliest.map(([id]) => counts.get(id) ?? 0);
      const groups = [
        ...likeliest.map(([, p], i) => [seen[i] as number, p * draws]),
        [draws - seen.reduce((a, b) => a + b, 0), rest * draws],
      ];
      const chi = groups.reduce((sum, [got = 0, want = 0]) => sum + (want > 5 ? (got - want) ** 2 / want : 0), 0);
      assert.ok(chi < 35, `χ² is ${chi}`);
    });

test('a seed and a step give one token, at temperature 0 the likeliest', () => {
  const values = logits(8);
  const draw = (step: number) => sample(values, sampled({}), 3, step);
  assert.deepEqual([0, 1, 2, 3].map(draw), [0, 1, 2, 3].map(draw));
  const [likeliest] = expected(values, sampled({ topK: 1 })).keys();
  assert.equal(sample(values, sampled({ temperature: 0 }), 3, 0), likeliest);
});
