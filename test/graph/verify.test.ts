import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import { Builder } from '../../server/graph/builder.js';
import type { Graph, Node, Value } from '../../server/graph/ir.js';
import { type BoundArchitecture, buildSegment, type SegmentSpec } from '../../server/graph/segment.js';
import { assertSound, verify } from '../../server/graph/verify.js';
import { bindCheckpoint } from '../../server/runtime/model.js';
import { fixtures } from '../parity/oracle.js';
import { families } from './segments.js';

for (const family of families)
  test(`${path.basename(family)}: every segment is sound, with all probes and every intervention`, async () => {
    const bound = await bindCheckpoint(await openCheckpoint(path.resolve(fixtures, family)));
    const { layers } = bound.config;
    const all = { from: 0, to: layers, embed: true, head: true };
    const { declared } = buildSegment(bound, all);
    for (let i = 0; i < layers; i++) {
      const mine = declared.filter((name) => name.startsWith(`blocks.${i}.`));
      const segment = { from: i, to: i + 1, embed: false, head: false, probes: new Set(mine) };
      assert.deepEqual(verify(buildSegment(bound, segment).graph), []);
      for (const name of mine) {
        const touched = withIntervention(bound, segment, name);
        if (touched) assert.deepEqual(verify(touched), [], name);
      }
    }
    assert.deepEqual(verify(buildSegment(bound, { from: 0, to: 0, embed: true, head: false }).graph), []);
    assert.deepEqual(verify(buildSegment(bound, { from: layers, to: layers, embed: false, head: true }).graph), []);
    assert.deepEqual(verify(buildSegment(bound, { ...all, probes: new Set(declared) }).graph), []);
  });

/** Null for what is only to look at: no value passes through it. */
function withIntervention(bound: BoundArchitecture, segment: SegmentSpec, name: string): Graph | null {
  try {
    return buildSegment(bound, { ...segment, interventions: new Set([name]) }).graph;
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'PROBE_UNKNOWN');
    return null;
  }
}

/** x [T,4] → relu(x + 1) as `y`. */
function small(): { graph: Graph; x: Value; sum: Value; y: Value } {
  const b = new Builder('small');
  const x = b.input('x', 'f32', ['T', 4]);
  const sum = b.add(x, 1);
  const y = b.relu(sum);
  b.output('y', y);
  return { graph: b.graph, x, sum, y };
}

const faults = (graph: Graph) => verify(graph).map(({ kind, name }) => [kind, name]);
const value = (name: string, dtype: Value['dtype'] = 'f32'): Value => ({ name, dtype, shape: ['T', 4] });
const node = (op: string, inputs: Value[], outputs: Value[], attributes: Node['attributes'] = {}): Node => ({
  op,
  inputs,
  outputs,
  attributes,
});

test('a sound graph has no faults', () => assert.deepEqual(faults(small().graph), []));

test('a name defined twice', () => {
  const { graph, x, sum } = small();
  graph.nodes.push(node('Relu', [x], [sum]));
  assert.deepEqual(faults(graph), [['duplicate', sum.name]]);
});

test('an output under the name of another value', () => {
  const { graph, y } = small();
  graph.outputs.set('x', y);
  assert.deepEqual(faults(graph), [['duplicate', 'x']]);
});

test('a value nothing computes', () => {
  const { graph } = small();
  graph.nodes.push(node('Relu', [value('nowhere')], [value('z')]));
  assert.deepEqual(faults(graph), [['undefined', 'nowhere']]);
});

test('an output nothing computes', () => {
  const { graph } = small();
  graph.outputs.set('z', value('nowhere'));
  assert.deepEqual(faults(graph), [['undefined', 'nowhere']]);
});

test('a node before what it reads', () => {
  const { graph, sum } = small();
  graph.nodes.reverse();
  assert.deepEqual(faults(graph), [['order', sum.name]]);
});

test('an input nobody reads', () => {
  const { graph } = small();
  graph.inputs.push(value('past', 'i64'));
  assert.deepEqual(faults(graph), [['unused', 'past']]);
});

test('dtypes that do not fit: within a node, and between where a value is made and read', () => {
  const { graph, x, y } = small();
  const ids = value('ids', 'i64');
  graph.inputs.push(ids);
  graph.nodes.push(node('Add', [y, ids], [value('mixed')]));
  graph.nodes.push(node('Less', [x, y], [value('flag')]));
  graph.nodes.push(node('Cast', [x], [value('cast', 'i64')], { to: 'f32' }));
  graph.nodes.push(node('Relu', [value('ids')], [value('late')]));
  assert.deepEqual(faults(graph), [
    ['dtype', 'mixed'],
    ['dtype', 'flag'],
    ['dtype', 'cast'],
    ['dtype', 'ids'],
  ]);
});

test('a body sees what surrounds it, and nothing sees into a body', () => {
  const { graph, x, sum } = small();
  const inner = new Builder('body', 'b');
  const state = inner.input('h', 'f32', [4]);
  const row = inner.input('row', 'f32', [4]);
  inner.output('next', inner.add(inner.add(state, row), sum));
  const scan = (body: Graph, out: string) => node('Scan', [value('h0'), x], [value(out)], { body, num_scan_inputs: 1 });
  graph.inputs.push(value('h0'));
  graph.nodes.push(scan(inner.graph, 'last'));
  assert.deepEqual(faults(graph), []);
  graph.nodes.push(node('Relu', [inner.graph.nodes[0]?.outputs[0] as Value], [value('peek')]));
  assert.deepEqual(faults(graph), [['undefined', 'b0']]);
  graph.nodes.pop();
  const wrong = new Builder('wrong', 'w');
  wrong.output('next', wrong.add(wrong.input('h', 'f32', [4]), value('outside')));
  graph.nodes.push(scan(wrong.graph, 'other'));
  assert.deepEqual(faults(graph), [
    ['undefined', 'outside'],
    ['dtype', 'other'],
  ]);
});

test('assertSound names the faults', () => {
  const { graph } = small();
  graph.nodes.reverse();
  assert.throws(() => assertSound(graph), { code: 'GRAPH_BROKEN' });
});
