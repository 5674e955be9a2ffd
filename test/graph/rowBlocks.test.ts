import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emitOnnx } from '../../server/graph/emit.js';
import { interpret } from '../../server/graph/interpreter.js';
import { isGraph } from '../../server/graph/ir.js';
import { inRowBlocks } from '../../server/graph/rowBlocks.js';
import { buildSegment } from '../../server/graph/segment.js';
import { assertSound } from '../../server/graph/verify.js';
import { f32, i64 } from '../../server/runtime/device.js';
import type { HostTensor } from '../../server/runtime/elements.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { assertClose } from '../parity/oracle.js';
import { families, inputsOf, subject, whole } from './segments.js';

for (const name of families)
  test(`${name}: rows in blocks are what all of them are at once, in double precision`, async () => {
    const s = await subject(name);
    const { graph } = buildSegment(s.bound, whole(s));
    const blocks = inRowBlocks(graph, 3, () => true);
    assertSound(blocks);
    const device = new LocalDevice();
    const model = emitOnnx(blocks, { place: s.store.place, weights: 'prepack' });
    const session = await device.load(model, { folder: s.store.folder, threads: 1, prepack: true });
    // fewer than a block, blocks that meet, blocks that overlap
    for (const tokens of [2, 6, 7]) {
      const inputs = inputsOf(s, graph, {}, tokens);
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
        assertClose(`${name}, ${tokens} tokens: ${out}`, { shape: dims, data: mine as Float32Array }, expected, 1e-4);
      }
    }
    await device.close();
    await s.store.close();
  });

test('from one attention to the next is one loop', async () => {
  const s = await subject('llama');
  const { graph } = buildSegment(s.bound, whole(s));
  const count = (op: string, of = graph) => of.nodes.filter((node) => node.op === op).length;
  const weights = (of = graph) => of.nodes.filter(({ op, inputs }) => op === 'MatMul' && of.weights.has(inputs[1]?.name ?? ''));
  const blocks = inRowBlocks(graph, 3, () => true);
  assert.equal(count('Scan', blocks) - count('Scan'), s.bound.config.layers + 1);
  assert.deepEqual(weights(blocks), []);
  const inside = blocks.nodes.flatMap(({ attributes }) =>
    Object.values(attributes).flatMap((body) => (isGraph(body) ? body.nodes : [])),
  );
  const products = inside.filter(({ op, inputs }) => op === 'MatMul' && graph.weights.has(inputs[1]?.name ?? ''));
  assert.equal(products.length, weights().length);
  assert.equal(inRowBlocks(graph, 3, () => false).nodes.length, graph.nodes.length);
  await s.store.close();
});
