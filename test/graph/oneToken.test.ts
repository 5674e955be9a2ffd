import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addNorms } from '../../server/graph/addNorms.js';
import { emitOnnx } from '../../server/graph/emit.js';
import { interpret } from '../../server/graph/interpreter.js';
import { forOneToken } from '../../server/graph/oneToken.js';
import { buildSegment } from '../../server/graph/segment.js';
import { f32, i64 } from '../../server/runtime/device.js';
import type { HostTensor } from '../../server/runtime/elements.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { assertClose } from '../parity/oracle.js';
import { families, inputsOf, subject, whole } from './segments.js';

for (const name of families)
  test(`${name}: one token through the graph made for it, as the whole graph says in double precision`, async () => {
    const s = await subject(name);
    const { graph } = buildSegment(s.bound, whole(s));
    const single = forOneToken(buildSegment(s.bound, { ...whole(s), single: true }).graph);
    // no loop over tokens, and no choice that their number decides
    assert.deepEqual(
      single.nodes.filter(({ op }) => op === 'Scan' || op === 'If'),
      [],
    );
    const fused = addNorms(single);
    const inputs = inputsOf(s, graph, {}, 1);
    const device = new LocalDevice();
    const model = emitOnnx(fused, { place: s.store.place, weights: 'prepack', sizes: { B: 1, T: 1 } });
    const session = await device.load(model, { folder: s.store.folder, threads: 1, prepack: true });
    const feeds = Object.fromEntries(
      graph.inputs.map(({ name: input, dtype }) => {
        const { shape, data } = inputs[input] as { shape: readonly number[]; data: Float64Array };
        const tensor: HostTensor = dtype === 'i64' ? i64(shape, [...data]) : f32(shape, Float32Array.from(data));
        return [input, { kind: 'tensor', tensor } as const];
      }),
    );
    const sinks = Object.fromEntries([...graph.outputs.keys()].map((out) => [out, [{ kind: 'return', name: out } as const]]));
    const got = await device.run([{ session, feeds, sinks }]);
    for (const [out, { shape, data }] of interpret(graph, inputs, s.weight)) {
      const { dims, data: mine } = got[out] as HostTensor;
      const expected = { shape, data: Float32Array.from(data) };
      assertClose(`${name} ${out}`, { shape: dims, data: mine as Float32Array }, expected, 1e-4);
    }
    await device.close();
    await s.store.close();
  });

test('heads are split off and joined without moving a number, and sums meet their norms', async () => {
  const s = await subject('llama');
  const { graph } = buildSegment(s.bound, whole(s));
  const fused = addNorms(forOneToken(graph));
  const count = (op: string) => fused.nodes.filter((node) => node.op === op).length;
  assert.equal(count('Transpose'), 0);
  // two a block and the last, but for the first of all, which reads the embedding
  assert.deepEqual([count('AddRMSNorm'), count('RMSNorm')], [2 * s.bound.config.layers, 1]);
  await s.store.close();
});
