import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { graphOutline, segmentGraph } from '../../server/analyses/modelGraph.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { aboutProbe } from '../../server/language/knowledge.js';
import type { GraphPart, SegmentGraph } from '../../server/protocol/graph.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { norm } from '../../server/tensor/reduce.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { code } from '../code.js';
import { readOracle } from '../fixtures/readOracle.js';
import { openLab } from '../lab/harness.js';

/** Graphs from files told in the form of segments: parts, groups, sizes, and their values after a run. */
const device = new LocalDevice();
after(() => device.close());
const folder = 'test/fixtures/onnx';
const outline = async (file: string) => graphOutline(await openCheckpoint(`${folder}/${file}.onnx`), device);
const segment = async (file: string, part: GraphPart): Promise<SegmentGraph> =>
  segmentGraph(await openCheckpoint(`${folder}/${file}.onnx`), { tower: '', part, shown: 0 }, aboutProbe, device);
const lm = [
  'torchscript_eager',
  'torchscript_sdpa',
  'dynamo_eager',
  'dynamo_attention23',
  'genai_fp32',
  'genai_int4',
  'uncached',
];

/** Titles of the groups around a node, outermost first. */
function around({ groups }: SegmentGraph, group: number): string[] {
  const path: string[] = [];
  for (let at = group; at > 0; at = groups[at]?.parent ?? -1) path.unshift(groups[at]?.title ?? '');
  return path;
}

test('a language model is what makes the stream, its blocks and the head, whoever exported it', async () => {
  for (const file of lm) {
    const { parts, family } = await outline(`lm/${file}`);
    assert.equal(family, 'onnx');
    assert.deepEqual(
      parts.map(({ part, mixer }) => [part, mixer]),
      [
        ['embed', null],
        [0, 'attention'],
        [1, 'attention'],
        ['head', null],
      ],
      file,
    );
    const cached = file !== 'uncached';
    assert.deepEqual(
      parts[1]?.states.map(({ name }) => name),
      cached ? ['k', 'v'] : [],
      file,
    );
    assert.ok(parts[0]?.reads.includes('tokens') && parts[3]?.says.includes('logits'), file);
    // every weight of a block once: four projections, three of the MLP, two norms, where they are not fused with another block's
    if (!file.startsWith('genai')) assert.equal(parts[1]?.parameters, 48 * 96 * 2 + 48 * 32 * 2 + 3 * 48 * 64 + 2 * 48, file);
  }
});

test('blocks that are built alike share a structure, although no two of their names are the same', async () => {
  const { parts } = await outline('lm/dynamo_eager');
  assert.deepEqual(
    parts.map(({ structure }) => structure),
    [0, 1, 1, 3],
  );
});

for (const file of [
  ...lm.map((name) => `lm/${name}`),
  'lm/fused',
  'encoder/bert',
  'recurrent/scan',
  'recurrent/delta',
  'recurrent/lstm',
  'recurrent/gru',
  'external/model',
  'types',
])
  test(`${file}: every node has a place, every value comes from somewhere and has sizes, carries arrive`, async () => {
    const { parts, provenance } = await outline(file);
    assert.match(provenance.provider, /sizes by ONNX Runtime/);
    const carried = new Set<string>();
    let nodes = 0;
    for (const { part, operators, carriesIn, carriesOut } of parts) {
      for (const name of carriesIn) assert.ok(carried.has(name), `${part} reads ${name}, which nothing before it makes`);
      for (const name of carriesOut) carried.add(name);
      const graph = await segment(file, part);
      nodes += operators;
      const made = new Set(graph.nodes.flatMap((node) => node.outputs));
      for (const [i, value] of graph.values.entries()) {
        assert.equal(value.kind === 'computed', made.has(i), value.name);
        assert.ok(!value.shape.includes('?'), `${value.name}: ${value.shape}`);
      }
      for (const node of graph.nodes) {
        assert.ok(graph.groups[node.group]);
        for (const i of node.inputs) assert.ok(i === -1 || graph.values[i], `${node.op} reads a value`);
      }
    }
    assert.ok(nodes > 0);
  });

test('modules are those that the exporter wrote into names, steps those of recognised attention', async () => {
  const graph = await segment('lm/torchscript_eager', 1);
  const at = (probe: string) => graph.nodes.find(({ outputs }) => outputs.some((i) => graph.values[i]?.probes.includes(probe)));
  const pattern = at('attn.pattern');
  assert.deepEqual(pattern && [pattern.op, ...around(graph, pattern.group)], ['Softmax', 'self_attn', 'attn.pattern']);
  const flat = graph.nodes.filter((node) => node.op === 'Transpose' && around(graph, node.group).join() === 'self_attn');
  assert.equal(flat.length, 1, 'what leads to the stream from within a module is no step of the stream');
  const up = graph.nodes.find((node) => node.op === 'MatMul' && around(graph, node.group).join('/') === 'mlp/up_proj');
  assert.ok(up);
  assert.deepEqual(graph.values[up.outputs[0] as number]?.shape, ['B', 'T', 64]);
  assert.deepEqual(graph.values[pattern?.outputs[0] as number]?.shape, ['B', 6, 'T', 'S']);
  assert.equal(graph.groups.find(({ probe }) => probe === 'attn.pattern')?.about?.formula, 'pattern = softmax(scores)');
  // a file without names of modules: the steps alone
  const bare = await segment('lm/dynamo_eager', 0);
  const scores = bare.nodes.find(({ outputs }) => outputs.some((i) => bare.values[i]?.probes.includes('attn.scores')));
  assert.deepEqual(around(bare, scores?.group ?? 0), ['attn', 'attn.scores']);
});

test('a loop is told with what it passes on from step to step', async () => {
  const graph = await segment('recurrent/scan', 0);
  const loop = graph.groups.findIndex(({ kind }) => kind === 'loop');
  assert.equal(graph.nodes[graph.groups[loop]?.node ?? -1]?.op, 'Scan');
  const state = graph.values.find(({ name }) => name === 'S_out/body/S_in');
  assert.equal(graph.values[state?.next ?? -1]?.name, 'S_out/body/S_out');
  assert.deepEqual(state?.shape, ['B', 2, 5, 5]);
});

test('after a run every value of a part at a token is what PyTorch computes there', async () => {
  const expected = await readOracle(`${folder}/lm/expected.safetensors`);
  const of = (name: string) => expected.get(name) as Tensor;
  const ids = [...of('input_ids').data];
  for (const file of ['torchscript_eager', 'uncached']) {
    const { ask, run, lab } = openLab();
    const path = `${folder}/lm/${file}.onnx`;
    const { id, tokens } = await run({ path, prompt: null, ids });
    assert.equal(tokens, ids.length);
    for (const token of [tokens - 1, 4]) {
      const graph = await ask('model/segment', { path, tower: '', part: 1, shown: 0, tokens: null });
      const named = (probe: string) => graph.values.find(({ probes }) => probes.includes(probe))?.name;
      const row = (name: string) => of(name).data.subarray(token * 48, (token + 1) * 48);
      const stream = { run: id, token, side: 64, probe: `blocks.1.#${named('resid_mid')}` };
      const { picture, stats } = await ask('graph/value', stream);
      assert.ok(Math.abs(stats.norm - norm(row('blocks.1.resid_mid'))) < 1e-4);
      for (const [i, value] of row('blocks.1.resid_mid').entries())
        assert.ok(Math.abs((picture.data[i] as number) - value) < 1e-4);
      const z = await ask('graph/value', { ...stream, probe: `blocks.1.#${named('attn.z')}` });
      assert.ok(Math.abs(z.stats.norm - norm(of('blocks.1.attn.z').data.subarray(token * 96, (token + 1) * 96))) < 1e-4);
      const { norms } = await ask('graph/flow', { run: id, token });
      for (const layer of [0, 1])
        assert.ok(Math.abs((norms.data[layer] as number) - norm(row(`blocks.${layer}.resid_pre`))) < 1e-4, `${file} ${layer}`);
      for (const part of ['embed', 1, 'head'] as const) {
        const { nodes, values } = await ask('model/segment', { path, tower: '', part, shown: 0, tokens: null });
        const probes = nodes
          .flatMap(({ outputs }) => outputs)
          .map((i) => `${part === 1 ? 'blocks.1' : part}.#${values[i]?.name}`);
        const all = await ask('graph/norms', { run: id, token, probes });
        assert.equal(all.norms.data.length, probes.length);
      }
    }
    await assert.rejects(ask('graph/value', { run: id, token: 0, side: 8, probe: 'blocks.0.#nothing' }), code('PROBE_UNKNOWN'));
    await lab.dispose();
  }
});

test('a graph that reads no tokens is one part, its values those of the whole run', async () => {
  const { ask, run, lab } = openLab();
  const path = `${folder}/external/model.onnx`;
  const expected = await readOracle(`${folder}/external.safetensors`);
  const { id } = await run({ path, prompt: null, inputs: `${folder}/external.safetensors` });
  const [only] = (await ask('model/outline', { path })).parts;
  assert.deepEqual([only?.part, only?.reads, only?.says], ['graph', ['x'], ['y']]);
  const value = await ask('graph/value', { run: id, token: 0, side: 8, probe: 'graph.#hidden' });
  const hidden = expected.get('hidden') as Tensor;
  assert.deepEqual(value.shape, hidden.shape);
  for (const [i, x] of hidden.data.entries()) assert.ok(Math.abs((value.picture.data[i] as number) - x) < 1e-4);
  assert.equal((await ask('graph/flow', { run: id, token: 0 })).norms.data.length, 0);
  await assert.rejects(ask('model/segment', { path, tower: '', part: 0, shown: 0, tokens: null }), code('PART_UNKNOWN'));
  await lab.dispose();
});
