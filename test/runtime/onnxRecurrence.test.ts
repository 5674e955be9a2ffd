import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { analyses } from '../../server/analyses/registry.js';
import { createRunView } from '../../server/lab/runView.js';
import { openModel } from '../../server/open.js';
import type { ModelInfo } from '../../server/protocol/models.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import type { RunView } from '../../server/runtime/view.js';
import { alone } from '../../server/runtime/view.js';
import { sizeOf, type Tensor } from '../../server/tensor/tensor.js';
import { freshMemo } from '../analyses/constructed.js';
import { readOracle } from '../fixtures/readOracle.js';
import { assertClose } from '../parity/oracle.js';

/** Recurrences of ONNX graphs, held to PyTorch and numpy (test/fixtures/onnx/makeRecurrent.py). */
const folder = 'test/fixtures/onnx/recurrent';
const device = new LocalDevice();
after(() => device.close());
const expected = await readOracle(`${folder}/expected.safetensors`);
const of = (name: string) => expected.get(name) as Tensor;
const ids = [...of('ids').data];
const T = ids.length;

async function run(name: string): Promise<RunView & { close(): Promise<void> }> {
  const { model } = await openModel(`${folder}/${name}.onnx`, { device, threads: 1 });
  const sequence = await model.start();
  await sequence.prefill(ids.slice(0, 7));
  await sequence.prefill(ids.slice(7));
  assertClose('logits', { shape: [T, model.vocab], data: await sequence.logits({ from: 0, to: T }) }, of(`${name}.logits`));
  const info = { name, dtype: 'F32', provider: 'cpu' } as ModelInfo;
  const view = createRunView({ id: name, recipe: {} as RunView['recipe'], model: info, engine: sequence }, freshMemo());
  return { ...view, close: () => model.close() };
}

const graphs: readonly (readonly [name: string, mixer: string, states: Readonly<Record<string, string>>])[] = [
  ['lstm', 'lstm', { h: 'lstm.h', c: 'lstm.c' }],
  ['gru', 'gru', { h: 'gru.h' }],
  ['scan', 'loop', { S: 'scan.S', n: 'scan.n' }],
  ['delta', 'deltanet', { ssm: 'delta.S' }],
];

for (const [name, mixer, states] of graphs)
  test(`${name}: every state after every token, from the start and from the middle`, async () => {
    const view = await run(name);
    assert.deepEqual(
      view.layers.map((layer) => layer.mixer),
      [mixer],
    );
    for (const [state, reference] of Object.entries(states)) {
      const probe = `blocks.0.state.${state}`;
      assertClose(probe, (await view.probes([probe])).get(probe) as Tensor, of(reference));
      const [, ...sizes] = of(reference).shape;
      const rest = (await view.probes([probe], { range: { from: 5, to: 9 } })).get(probe) as Tensor;
      assertClose(`${probe} of 5…8`, rest, {
        shape: [4, ...sizes],
        data: of(reference).data.subarray(5 * sizeOf(sizes), 9 * sizeOf(sizes)),
      });
    }
    const { layers } = await analyses['state/overview'](view, {}, alone);
    assert.deepEqual(
      layers[0]?.states.map((state) => state.name),
      Object.keys(states),
    );
    await view.close();
  });

for (const [name, state] of [
  ['gru', 'h'],
  ['lstm', 'c'],
  ['delta', 'ssm'],
] as const)
  test(`${name}: a step is decay ⊙ before − removal + write, and the output follows from the state`, async () => {
    const view = await run(name);
    for (let token = 0; token < T; token++)
      for (const group of name === 'delta' ? [0, 1] : [0]) {
        const step = await analyses['state/step'](view, { layer: 0, state, group, token, against: null }, alone);
        const made = step.before.data.map(
          (value, i) => (step.decay?.data[i] as number) * value - (step.removal?.data[i] ?? 0) + (step.write?.data[i] as number),
        );
        assertClose(`token ${token}`, { shape: step.after.shape, data: made }, step.after as Tensor, 1e-5);
        // (1 − z) ⊙ h̃ with h̃ a tanh: what is taken up is no more than the gate leaves room for
        if (name === 'gru')
          for (const [i, taken] of (step.write?.data ?? []).entries())
            assert.ok(Math.abs(taken) <= 1 - (step.decay?.data[i] as number) + 1e-6);
        const { identity } = step;
        assert.ok(name === 'gru' || (identity && identity.error < 1e-5 * (1 + identity.magnitude)), identity?.formula);
      }
    const series = await analyses['state/series'](view, { layer: 0, state, group: 0 }, alone);
    assert.ok(series.norm.data.every((value) => value > 0) && series.decay?.data.every((value) => value > 0 && value < 1));
    await view.close();
  });

test('a state that only the graph describes is shown as it goes, with what it says of itself', async () => {
  const view = await run('scan');
  const step = await analyses['state/step'](view, { layer: 0, state: 'S', group: 1, token: 6, against: 2 }, alone);
  const S = (token: number) => of('scan.S').data.subarray((token * 2 + 1) * 25, (token * 2 + 2) * 25);
  assertClose('before', step.before as Tensor, { shape: [5, 5], data: S(5) });
  assertClose('after', step.after as Tensor, { shape: [5, 5], data: S(6) });
  assertClose('difference', step.diff as Tensor, { shape: [5, 5], data: S(6).map((value, i) => value - (S(2)[i] as number)) });
  assert.deepEqual(
    [step.decay, step.write, step.update],
    [null, null, 'state_t = body(state_{t−1}, x_t): what a step keeps and writes only the body says'],
  );
  await view.close();
});
