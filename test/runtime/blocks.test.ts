import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Checkpoint, TensorEntry } from '../../server/formats/checkpoint.js';
import { ggmlIntegers } from '../../server/formats/ggmlIntegers.js';
import { readTensor } from '../../server/formats/read.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { emitOnnx } from '../../server/graph/emit.js';
import { exact } from '../../server/graph/exact/tensor.js';
import { interpret } from '../../server/graph/interpreter.js';
import type { Graph } from '../../server/graph/ir.js';
import { buildSegment } from '../../server/graph/segment.js';
import { SegmentBuilder } from '../../server/graph/segmentBuilder.js';
import { weightUses } from '../../server/graph/uses.js';
import { f32, type HostTensor, i64 } from '../../server/runtime/device.js';
import { bindCheckpoint } from '../../server/runtime/model.js';
import { patch } from '../../server/runtime/patch.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { planWeights } from '../../server/runtime/weightPlan.js';
import { WeightStore } from '../../server/runtime/weights.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { readOracle } from '../fixtures/readOracle.js';
import { noise } from '../graph/segments.js';
import { assertClose, fixtures } from '../parity/oracle.js';
import { open, probe } from '../parity/reference.js';
import { quantisedLlama, sizes } from './quantisedLlama.js';

const ids = [3, 17, 91, 40, 4, 66, 8, 25, 77];
const folders: string[] = [];
const made = async (tied = false) => {
  const file = await quantisedLlama(tied);
  folders.push(path.dirname(file));
  return file;
};
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

/** The logits of every token in double precision, from weights decoded to the bits of the reference. */
async function exactLogits(checkpoint: Checkpoint): Promise<Tensor> {
  const bound = await bindCheckpoint(checkpoint);
  const { graph } = buildSegment(bound, { from: 0, to: sizes.layers, embed: true, head: true });
  const weights = new Map<string, ReturnType<typeof exact>>();
  for (const e of checkpoint.tensors.values()) weights.set(e.name, exact(e.shape, await readTensor(checkpoint, e)));
  const inputs = Object.fromEntries(
    graph.inputs.map(({ name }) => {
      if (name === 'tokens') return [name, exact([1, ids.length], ids)];
      if (name === 'past' || name.endsWith('.kept')) return [name, exact([1], [0])];
      return [name, noise(1, [1, sizes.K, 1, sizes.E], 0)];
    }),
  );
  const { shape, data } = interpret(graph, inputs, (name) => weights.get(name) as ReturnType<typeof exact>).get('logits') as {
    shape: readonly number[];
    data: Float64Array;
  };
  return { shape: shape.slice(1), data: Float32Array.from(data) };
}

test('products and rows of every type that is multiplied as it is', async () => {
  const folder = path.join(fixtures, 'gguf_types');
  const [checkpoint, reference] = [
    await openCheckpoint(path.join(folder, 'types.gguf')),
    await readOracle(path.join(folder, 'oracle.safetensors')),
  ];
  const device = new LocalDevice();
  for (const type of ggmlIntegers.keys()) {
    const { name, shape } = checkpoint.tensors.get(`t.${type}`) as TensorEntry;
    const [N, K] = shape as [number, number];
    const g = new SegmentBuilder('blocks', { shape: () => shape }, { probes: new Set(), interventions: new Set() });
    const w = g.weight(name, shape);
    g.output('y', g.matmul(g.input('x', 'f32', ['B', 'T', K]), w, { transB: true }));
    g.output('rows', g.gather(w, g.input('ids', 'i64', ['B', 'T'])));
    const plan = planWeights(checkpoint, weightUses(g.graph));
    assert.equal(plan.get(name)?.matrix?.kind, 'blocks', type);
    const store = await WeightStore.open(checkpoint, plan);
    const x = noise(3, [1, 4, K]);
    const inputs = { x, ids: exact([1, 4], [2, 0, 1, 2]) };
    const decoded = exact(shape, (reference.get(name) as Tensor).data);
    const expected = interpret(g.graph, inputs, () => decoded);
    for (const prepack of [true, false]) {
      const actual = await run(device, g.graph, store, prepack, {
        x: f32([1, 4, K], Float32Array.from(x.data)),
        ids: i64([1, 4], [2, 0, 1, 2]),
      });
      for (const out of ['y', 'rows']) {
        const { shape, data } = expected.get(out) as { shape: number[]; data: Float64Array };
        const { dims, data: mine } = actual[out] as HostTensor;
        const size = Math.max(1, ...data.map(Math.abs));
        const scaled = (values: ArrayLike<number>) => Float32Array.from(values, (v) => v / size);
        assertClose(`${type} ${out}`, { shape: dims, data: scaled(mine as Float32Array) }, { shape, data: scaled(data) }, 2e-6);
      }
    }
    assert.equal(N, 3);
    await store.close();
  }
  await device.close();
});

async function run(device: LocalDevice, graph: Graph, store: WeightStore, prepack: boolean, inputs: Record<string, HostTensor>) {
  const model = emitOnnx(graph, { place: store.place, weights: prepack ? 'prepack' : 'map' });
  const session = await device.load(model, { folder: store.folder, threads: 1, prepack });
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, { kind: 'tensor', tensor } as const]));
  const sinks = Object.fromEntries([...graph.outputs.keys()].map((name) => [name, [{ kind: 'return', name } as const]]));
  return device.run([{ session, feeds, sinks }]);
}

for (const tied of [false, true])
  test(`a model of mixed types runs as the decoded one, ${tied ? 'tied' : 'with its own head'}`, async () => {
    const { device, run } = await open(await made(tied));
    const expected = await exactLogits(run.model.checkpoint);
    await run.prefill(ids.slice(0, 5));
    for (const id of ids.slice(5, -1)) await run.decode(id);
    const last = { shape: [sizes.vocab], data: await run.decode(ids.at(-1) as number) };
    const logits = { shape: expected.shape, data: await run.logits({ from: 0, to: ids.length }) };
    assertClose('logits', logits, expected);
    assertClose('decoded', last, { shape: [sizes.vocab], data: expected.data.slice(-sizes.vocab) });
    await device.close();
  });

test('probes and interventions see the same weights as the run', async () => {
  const { device, run } = await open(await made());
  await run.prefill(ids);
  assertClose('resid', await probe(run, 'blocks.0.resid_post'), await probe(run, 'blocks.1.resid_pre'));
  const zero = { shape: [1, 1], data: new Float32Array(1) };
  const one = { shape: [1, 1], data: Float32Array.of(1) };
  const logits = { shape: [ids.length, sizes.vocab], data: await run.logits({ from: 0, to: ids.length }) };
  assertClose('patched with itself', await patch(run, [{ probe: 'blocks.0.mlp.out', scale: one, shift: zero }]), logits);
  const other = await patch(run, [{ probe: 'blocks.0.mlp.out', scale: zero, shift: zero }]);
  assert.ok(other.data.some((v, i) => Math.abs(v - (logits.data[i] as number)) > 1e-2));
  await device.close();
});
