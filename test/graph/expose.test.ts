import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import type { Graph, Node } from '../../server/graph/ir.js';
import { withoutScope } from '../../server/graph/places.js';
import { segmentOf } from '../../server/graph/segmentParts.js';
import type { LabError } from '../../server/protocol/errors.js';
import type { Run } from '../../server/runtime/run.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, fixtures, readOracle } from '../parity/oracle.js';
import { idsOf, open } from '../parity/reference.js';

const read = async (run: Run, name: string, from: number, to: number): Promise<Tensor> =>
  (await run.probes([name], { range: { from, to } })).get(name) as Tensor;

function newestColumns({ shape, data }: Tensor, width: number): Tensor {
  const all = shape.at(-1) as number;
  const kept = data.filter((_, i) => i % all >= all - width);
  return { shape: [...shape.slice(0, -1), width], data: kept };
}

/** Whole prompts, and one token behind cached rows or a snapshot. */
for (const family of ['llama', 'gemma2', 'deepseek_v2', 'mixtral', 'mamba', 'rwkv7', 'jamba', 'falcon_h1', 'zamba2', 'xlstm'])
  test(`any value of ${family} can be read: those with a name equal their probe`, async () => {
    const { device, model, run } = await open(path.join(fixtures, family));
    await run.prefill(idsOf(await readOracle(family)));
    const T = run.ids.length;
    for (let block = 0; block < model.layers.length; block++) {
      const { named } = segmentOf(model.bound, block);
      for (const [probe, { name }] of named)
        for (const from of [0, T - 1]) {
          const value = await read(run, `blocks.${block}.#${withoutScope(name, `blocks.${block}.`)}`, from, T);
          // under a sliding window the value has only the columns that were computed, the newest
          const expected = newestColumns(await read(run, probe, from, T), value.shape.at(-1) as number);
          // heads that share keys are carried as the rows of one matrix
          assertClose(`${probe} ${from}`, { data: value.data, shape: expected.shape }, expected);
        }
    }
    await device.close();
  });

test('every value of a block has finite numbers of the declared rank', async () => {
  for (const family of ['llama', 'mamba', 'rwkv7', 'mixtral']) {
    const { device, model, run } = await open(path.join(fixtures, family));
    await run.prefill(idsOf(await readOracle(family)));
    const T = run.ids.length;
    const { nodes } = segmentOf(model.bound, 1).graph;
    const values = nodes.flatMap((node) => node.outputs);
    const names = values.map(({ name }) => `blocks.1.#${name}`);
    const read = await run.probes(names, { range: { from: T - 1, to: T } });
    for (const { name, shape } of values) {
      const tensor = read.get(`blocks.1.#${name}`) as Tensor;
      assert.equal(tensor.shape.length, shape.length - (shape[0] === 'B' ? 1 : 0), name);
      assert.ok(
        tensor.data.every((value) => !Number.isNaN(value)),
        `${family} ${name} [${shape}]`,
      );
    }
    await device.close();
  }
});

test('what a loop computes comes out for every token', async () => {
  const { device, model, run } = await open(path.join(fixtures, 'mamba'));
  await run.prefill(idsOf(await readOracle('mamba')));
  const T = run.ids.length;
  const scan = segmentOf(model.bound, 0).graph.nodes.find(({ op }) => op === 'Scan');
  const { nodes } = (scan as Node).attributes.body as Graph;
  const next = nodes.find(({ op }) => op === 'Add')?.outputs[0]?.name as string;
  const states = await read(run, 'blocks.0.state.ssm', 0, T); // [T,d,N]; the loop has them as [T,N,d]
  const [, d, N] = states.shape as [number, number, number];
  const data = states.data.map((_, i) => states.data[i - (i % (d * N)) + (i % d) * N + (Math.floor(i / d) % N)] as number);
  assertClose('states', await read(run, `blocks.0.#${next}`, 0, T), { shape: [T, N, d], data });
  await device.close();
});

test('what one branch computes can be read whichever was taken', async () => {
  const { device, model, run } = await open(path.join(fixtures, 'rwkv7'));
  await run.prefill(idsOf(await readOracle('rwkv7')));
  const T = run.ids.length;
  const choice = segmentOf(model.bound, 1).graph.nodes.find(({ op }) => op === 'If');
  const y = await read(run, 'blocks.1.time_mix.y', 0, T);
  for (const branch of ['then_branch', 'else_branch']) {
    const { outputs } = (choice as Node).attributes[branch] as Graph;
    const [first] = [...outputs.values()].map(({ name }) => name);
    assertClose(branch, await read(run, `blocks.1.#${first}`, 0, T), y);
  }
  await device.close();
});

test('a value that is not there is a coded error', async () => {
  const { device, run } = await open(path.join(fixtures, 'llama'));
  await run.prefill([1, 2, 3]);
  for (const name of ['blocks.0.#v9999', 'embed.#nothing', 'blocks.7.#v0'])
    await assert.rejects(run.probes([name]), (error: LabError) => error.code === 'PROBE_UNKNOWN');
  const mixed = await run.probes(['blocks.0.ln1', 'blocks.0.#v0']);
  assert.equal(mixed.size, 2);
  await device.close();
});
