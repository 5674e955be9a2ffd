import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wkv7Chunks, wkv7Steps } from '../../server/graph/blocks/wkv7.js';
import { Builder } from '../../server/graph/builder.js';
import { emitOnnx } from '../../server/graph/emit.js';
import type { Exact } from '../../server/graph/exact/tensor.js';
import { interpret } from '../../server/graph/interpreter.js';
import { verify } from '../../server/graph/verify.js';
import { f32 } from '../../server/runtime/device.js';
import type { HostTensor } from '../../server/runtime/elements.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { noise } from './segments.js';

const names = ['r', 'logW', 'k', 'v', 'kappa', 'taken'] as const;
const [H, E] = [2, 8];
const LEAST = Math.exp(-Math.exp(-0.5));

/** y and S after T tokens by the one way or the other. */
function graphOf(build: typeof wkv7Chunks) {
  const g = new Builder('wkv7');
  const past = g.input('past', 'f32', ['B', H, E, E]);
  const x = Object.fromEntries(names.map((name) => [name, g.input(name, 'f32', ['B', 'T', H, E])])) as never;
  const [y, last] = build(g, past, x);
  g.output('y', y as never);
  g.output('last', last as never);
  return g.graph;
}
const chunked = graphOf(wkv7Chunks);
const stepped = graphOf((g, past, x) => wkv7Steps(g, past, x, g.exp(x.logW), false));

/** Keys of length 1; what is taken is a · κ̂. */
function inputsOf(T: number, w: (unit: number) => number, a: (unit: number) => number, sameKey = false): Record<string, Exact> {
  const shape = [1, T, H, E];
  const unit = (seed: number) => noise(seed, shape, 0.5).data.map((x) => x + 0.5);
  const kappa = noise(5, shape).data;
  if (sameKey) for (let i = H * E; i < kappa.length; i++) kappa[i] = kappa[i - H * E] as number;
  for (let at = 0; at < kappa.length; at += E) {
    const norm = Math.hypot(...kappa.subarray(at, at + E));
    for (let i = at; i < at + E; i++) kappa[i] = Math.fround((kappa[i] as number) / norm);
  }
  const rate = unit(6).map(a);
  return {
    past: noise(7, [1, H, E, E]),
    r: noise(1, shape),
    logW: { shape, data: unit(2).map((x) => Math.fround(Math.log(w(x)))) },
    k: noise(3, shape),
    v: noise(4, shape),
    kappa: { shape, data: kappa },
    taken: { shape, data: kappa.map((x, i) => Math.fround(x * (rate[i] as number))) },
  };
}

const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] as number))), 0);

const cases = {
  'any decays and rates': inputsOf(
    37,
    (u) => LEAST + (1 - LEAST) * u,
    (u) => u,
  ),
  'whole chunks': inputsOf(
    48,
    (u) => LEAST + (1 - LEAST) * u,
    (u) => u,
  ),
  'one token more than a chunk': inputsOf(
    17,
    (u) => LEAST + (1 - LEAST) * u,
    (u) => u,
  ),
  'the fastest decay': inputsOf(
    40,
    () => LEAST,
    (u) => u,
  ),
  'one key again and again, taken whole, nothing decays': inputsOf(
    64,
    () => 1,
    () => 1,
    true,
  ),
};

for (const [name, inputs] of Object.entries(cases))
  test(`RWKV-7 by chunks is RWKV-7 token by token: ${name}`, async () => {
    assert.deepEqual(verify(chunked), []);
    const none = () => assert.fail('there are no weights');
    const [expected, exact] = [interpret(stepped, inputs, none), interpret(chunked, inputs, none)];
    const device = new LocalDevice();
    const place = none as never;
    const session = await device.load(emitOnnx(chunked, { place, weights: 'map' }), { folder: '', threads: 1, prepack: false });
    const feeds = Object.entries(inputs).map(
      ([key, { shape, data }]) => [key, { kind: 'tensor', tensor: f32(shape, Float32Array.from(data)) } as const] as const,
    );
    const sinks = { y: [{ kind: 'return', name: 'y' }], last: [{ kind: 'return', name: 'last' }] } as const;
    const single = await device.run([{ session, feeds: Object.fromEntries(feeds), sinks }]);
    for (const output of ['y', 'last']) {
      const truth = (expected.get(output) as Exact).data;
      assert.ok(worst(truth, (exact.get(output) as Exact).data) < 1e-9, `${output} in double precision`);
      const error = worst(truth, (single[output] as HostTensor).data as Float32Array);
      assert.ok(error < 2e-5, `${output} in single precision differs by ${error}`);
    }
    await device.close();
  });
