import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { openModel } from '../../server/open.js';
import type { SessionOptions } from '../../server/runtime/device.js';
import { SessionCache } from '../../server/runtime/sessionCache.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures } from '../parity/oracle.js';

/** Tells how many sessions are open. */
class CountedDevice extends LocalDevice {
  open = 0;

  override async load(model: Uint8Array, options: SessionOptions): Promise<number> {
    this.open++;
    return super.load(model, options);
  }

  override async release(sessions: readonly number[]): Promise<void> {
    this.open -= sessions.length;
    await super.release(sessions);
  }
}

const IDS = [5, 9, 77, 12, 30, 41, 8, 8, 2, 61];

for (const name of ['oracles/jamba', 'oracles/mistral', 'oracles/rwkv7', 'onnx/lm/dynamo_attention23.onnx'])
  test(`${name}: who looks at everything at once gets what was asked for, however few sessions are kept`, async () => {
    const device = new CountedDevice();
    const opened = await openModel(path.join(fixtures, '..', name), { device, threads: 1, inspections: 1 });
    const sequence = await opened.model.start();
    await sequence.prefill(IDS.slice(0, 10).map((id) => id % opened.model.vocab));
    const probes = opened.model.probes
      .filter((probe) => /^blocks\.\d+\.(attn|mixer|time_mix|mlp|resid_mid)/.test(probe))
      .slice(0, 30);
    const generating = device.open;
    const read = async (probe: string) => (await sequence.probes([probe])).get(probe) as Tensor;
    const one: Tensor[] = [];
    for (const probe of probes) one.push(await read(probe));
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(device.open <= generating + 1, `${device.open - generating} sessions beside the ${generating} that generate`);
    for (const [i, tensor] of (await Promise.all(probes.map(read))).entries())
      assertClose(probes[i] as string, tensor, one[i] as Tensor, 1e-6);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(device.open <= generating + 1, `${device.open - generating} are left open`);
    await sequence.close();
    await opened.model.close();
    assert.equal(device.open, 0);
    await device.close();
  });

test('a session that is put out is released when those who were at work then are done', async () => {
  const released: string[] = [];
  const cache = new SessionCache<string>(1, async (session) => void released.push(session));
  const get = (key: string) => cache.get(key, async () => key);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  let done = () => undefined as unknown;
  const first = cache.use(async () => {
    await get('a');
    await get('b');
    await new Promise((resolve) => {
      done = () => resolve(undefined);
    });
  });
  await turn();
  await cache.use(() => get('c'));
  await turn();
  assert.deepEqual(released, [], 'the first is still at work');
  done();
  await first;
  await turn();
  assert.deepEqual(released, ['a', 'b']);
  await assert.rejects(
    cache.get('d', () => Promise.reject(new Error('no'))),
    /no/,
  );
  await cache.close();
  assert.deepEqual(released, ['a', 'b', 'c']);
});

test('a session that could not be compiled is compiled when it is asked for again', async () => {
  const device = new CountedDevice();
  const { model } = await openModel(path.join(fixtures, 'mistral'), { device, threads: 1 });
  const sequence = await model.start();
  await sequence.prefill(IDS);
  const whole = { rows: { from: 0, to: IDS.length }, heads: { from: 0, to: 1 }, pool: 16 };
  const read = async () => {
    const sums: number[] = [];
    await sequence.attention?.(0)?.outline(whole, ({ sum }) => sums.push(...sum));
    return sums;
  };
  const { load } = device;
  device.load = async (graph, options) => {
    if (options.folder !== '') return load.call(device, graph, options); // of the model's weights
    device.load = load;
    throw new RangeError('out of memory');
  };
  await assert.rejects(read(), RangeError);
  const sums = await read();
  assert.equal(sums.length, IDS.length);
  for (const sum of sums) assert.ok(Math.abs(sum - 1) < 1e-5, `weights of a row add up to ${sum}`);
  await sequence.close();
  await model.close();
  await device.close();
});
