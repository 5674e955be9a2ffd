import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { callsOf } from '../../server/analyses/fitCalls.js';
import { graphOutline, segmentGraph } from '../../server/analyses/modelGraph.js';
import type { Checkpoint } from '../../server/formats/checkpoint.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { aboutProbe } from '../../server/language/knowledge.js';
import type { GraphPart, SegmentGraph } from '../../server/protocol/graph.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { bindStacks } from '../../server/runtime/stacks.js';
import { fixtures } from '../parity/oracle.js';

const device = new LocalDevice();
after(() => device.close());
const open = (family: string) => openCheckpoint(path.join(fixtures, family));
const segment = async (family: string, part: GraphPart, shown = 0) =>
  segmentGraph(await open(family), { tower: '', part, shown }, aboutProbe, device);
const titles = ({ groups }: SegmentGraph, kind: string) => groups.filter((g) => g.kind === kind).map((g) => g.title);

/** Operators of the step with this name, in order. */
function opsOf({ groups, nodes }: SegmentGraph, step: string): string[] {
  const index = groups.findIndex((group) => group.title === step);
  return nodes.filter((node) => node.group === index).map(({ op }) => op);
}

test('a block is sorted into modules and steps by the names of its values', async () => {
  const block = await segment('llama', 1);
  assert.deepEqual(titles(block, 'module'), ['attn', 'mlp']);
  assert.deepEqual(opsOf(block, 'ln1'), ['RMSNorm']);
  assert.deepEqual(opsOf(block, 'attn.q'), ['MatMul', 'Reshape', 'Transpose']);
  assert.deepEqual(opsOf(block, 'attn.pattern'), ['Softmax']);
  assert.deepEqual(opsOf(block, 'mlp.post'), ['Sigmoid', 'Mul', 'MatMul', 'Mul']);
  assert.deepEqual(opsOf(block, 'resid_mid'), ['Add']);
  const down = block.values.find(({ weight }) => weight?.tensor === 'mlp.down_proj.weight')?.weight;
  assert.equal(down?.bytes, (down?.shape[0] ?? 0) * (down?.shape[1] ?? 0) * 4);
  assert.equal(block.groups.find(({ probe }) => probe === 'attn.pattern')?.about?.formula, 'pattern = softmax(scores)');
});

test('what serves several values is a step of its own, named by its weight', async () => {
  assert.deepEqual(opsOf(await segment('chatglm3', 0), 'query_key_value'), ['MatMul', 'Add', 'Split']);
  assert.deepEqual(opsOf(await segment('mamba', 0), 'x_proj'), ['MatMul', 'Split']);
});

test('blocks that are built alike share a structure, others do not', async () => {
  const structures = async (family: string) =>
    (await graphOutline(await open(family), device)).parts.map(({ structure }) => structure);
  assert.deepEqual(await structures('llama'), [0, 1, 1, 3]);
  assert.deepEqual(await structures('jamba'), [0, 1, 2, 1, 2, 5]);
  // RWKV-7's first block writes the value that later ones read
  assert.deepEqual(await structures('rwkv7'), [0, 1, 2, 3]);
  const [, first, second] = (await graphOutline(await open('rwkv7'), device)).parts;
  assert.deepEqual([first?.carriesOut, first?.carriesIn, second?.carriesIn], [['v_first'], [], ['v_first']]);
});

test('of a family that is known by no name the outline tells how it was told, with every reason', async () => {
  const outline = await graphOutline(await openCheckpoint(path.join(fixtures, '../oracles_inferred/olmo2')), device);
  assert.equal(outline.family, 'olmo2 (inferred)');
  assert.ok(outline.inferred?.some(({ what, because }) => what === '2 KV heads' && /k_proj has 12 rows/.test(because)));
  assert.ok(outline.inferred?.some(({ assumed, otherwise }) => assumed && otherwise?.key === 'rope_interleave'));
  assert.equal((await graphOutline(await open('llama'), device)).inferred, undefined);
});

test('of many experts one is sent, whichever is asked for', async () => {
  for (const shown of [0, 3]) {
    const block = await segment('mixtral', 0, shown);
    const group = block.groups.findIndex(({ kind }) => kind === 'part');
    assert.deepEqual(block.groups[group]?.part, { index: shown, count: 4, chosen: 2 });
    const weights = block.nodes
      .filter((node) => node.group === group)
      .flatMap((node) => node.inputs.flatMap((i) => block.values[i]?.weight?.tensor ?? []));
    assert.deepEqual(
      weights,
      ['w1', 'w3', 'w2'].map((name) => `block_sparse_moe.experts.${shown}.${name}.weight`),
    );
    assert.ok(block.nodes.some(({ op, hidden }) => op === 'Concat' && hidden === 3));
  }
});

test('bodies of loops and branches are told with what flows into them', async () => {
  const mamba = await segment('mamba', 0);
  const loop = mamba.groups.findIndex(({ kind }) => kind === 'loop');
  assert.equal(mamba.nodes[mamba.groups[loop]?.node ?? -1]?.op, 'Scan');
  const state = mamba.values.find(({ next }) => next !== undefined);
  // the loop keeps it transposed
  const turned = mamba.nodes.find(({ outputs }) => outputs.includes(state?.of ?? -1));
  assert.equal(turned?.op, 'Transpose');
  assert.equal(mamba.values[turned?.inputs[0] ?? -1]?.role, 'state.ssm.past');
  assert.ok(mamba.nodes.some(({ group, outputs }) => group === loop && outputs.includes(state?.next ?? -1)));
  assert.deepEqual(titles(await segment('rwkv7', 1), 'branch'), ['then', 'else']);
});

for (const name of readdirSync(fixtures).filter((name) => existsSync(path.join(fixtures, name, 'config.json')))) {
  test(`every value of ${name} comes from somewhere, every node has a place`, async () => {
    const checkpoint = await open(name);
    const { parts } = await graphOutline(checkpoint, device);
    for (const { tower, part, operators } of parts) {
      const { nodes, values, groups, outputs } = await segmentGraph(checkpoint, { tower, part, shown: 0 }, aboutProbe, device);
      const made = new Set(nodes.flatMap((node) => node.outputs));
      for (const [i, value] of values.entries())
        assert.equal(value.kind === 'computed', made.has(i), `${name} ${part} ${value.name}`);
      for (const node of nodes) {
        assert.ok(groups[node.group], `${node.op} has a group`);
        for (const i of node.inputs) assert.ok(i === -1 || values[i], `${node.op} reads a value`);
      }
      for (const group of groups.slice(1)) assert.ok(groups[group.parent], group.title);
      assert.ok(outputs.length > 0 && operators > 0);
    }
  });
}

/** What is not computed in a call of so many tokens: RWKV-7's steps where there are chunks. */
const UNTAKEN = /^rwkv7/;
for (const name of readdirSync(fixtures).filter((name) => existsSync(path.join(fixtures, name, 'config.json'))))
  test(`every size of ${name} is known in a call of 40 tokens`, async () => {
    const checkpoint = await open(name);
    const { stacks } = await bindStacks(checkpoint);
    const { prefill } = callsOf(stacks, { tokens: 40, batch: 1 });
    for (const { tower, part } of (await graphOutline(checkpoint, device)).parts) {
      const tokens = prefill.get(tower)?.tokens as number;
      const { values } = await segmentGraph(checkpoint, { tower, part, shown: 0, tokens }, aboutProbe, device);
      const open = values.filter(({ shape }) => shape.some((size) => typeof size === 'string' && !size.startsWith('≈')));
      assert.ok(open.length === 0 || UNTAKEN.test(name), open.map((value) => `${value.name} ${value.shape}`).join());
    }
  });

test('grouped scores have a row for each query of two heads', async () => {
  const checkpoint = await open('llama');
  const { values } = await segmentGraph(checkpoint, { tower: '', part: 0, shown: 0, tokens: 24 }, aboutProbe, device);
  const of = (probe: string) => values.find(({ probes }) => probes.includes(probe))?.shape.join(' × ');
  assert.deepEqual(['attn.pattern', 'attn.q', 'attn.z'].map(of), ['2 × 48 × 24', '4 × 24 × 8', '24 × 4 × 8']);
});

test('a model of 61 layers with 256 experts is told in messages below 1 MB', async () => {
  const checkpoint = await deepSeekV3();
  const outline = await graphOutline(checkpoint, device);
  assert.equal(outline.parts.length, 63);
  assert.deepEqual(new Set(outline.parts.slice(4, -1).map(({ structure }) => structure)), new Set([4]));
  assert.ok(JSON.stringify(outline).length < 1e5);
  const block = await segmentGraph(checkpoint, { tower: '', part: 60, shown: 255 }, aboutProbe, device);
  assert.ok(JSON.stringify(block).length < 1e5);
  assert.ok((outline.parts[61]?.operators ?? 0) > 2800);
});

/** Headers only, in the sizes of DeepSeek-V3 (arXiv 2412.19437, §4.2), without multi-token prediction. */
async function deepSeekV3(): Promise<Checkpoint> {
  const small = await open('deepseek_v3');
  const config = {
    ...small.config,
    hidden_size: 7168,
    num_hidden_layers: 61,
    vocab_size: 129_280,
    intermediate_size: 18_432,
    moe_intermediate_size: 2048,
    num_attention_heads: 128,
    num_key_value_heads: 128,
    q_lora_rank: 1536,
    kv_lora_rank: 512,
    qk_nope_head_dim: 128,
    qk_rope_head_dim: 64,
    v_head_dim: 128,
    n_routed_experts: 256,
    n_shared_experts: 1,
    n_group: 8,
    topk_group: 4,
    num_experts_per_tok: 8,
    first_k_dense_replace: 3,
  };
  const tensors = new Map<string, { name: string; dtype: string; shape: readonly number[]; bytes: number }>();
  const add = (name: string, ...shape: number[]) =>
    tensors.set(name, { name, dtype: 'BF16', shape, bytes: shape.reduce((n, d) => n * d, 2) });
  const mlp = (prefix: string, size: number) => {
    for (const part of ['gate_proj', 'up_proj']) add(`${prefix}.${part}.weight`, size, 7168);
    add(`${prefix}.down_proj.weight`, 7168, size);
  };
  add('model.embed_tokens.weight', 129_280, 7168);
  add('model.norm.weight', 7168);
  add('lm_head.weight', 129_280, 7168);
  for (let i = 0; i < 61; i++) {
    const layer = `model.layers.${i}.`;
    add(`${layer}input_layernorm.weight`, 7168);
    add(`${layer}post_attention_layernorm.weight`, 7168);
    add(`${layer}self_attn.q_a_proj.weight`, 1536, 7168);
    add(`${layer}self_attn.q_a_layernorm.weight`, 1536);
    add(`${layer}self_attn.q_b_proj.weight`, 128 * 192, 1536);
    add(`${layer}self_attn.kv_a_proj_with_mqa.weight`, 576, 7168);
    add(`${layer}self_attn.kv_a_layernorm.weight`, 512);
    add(`${layer}self_attn.kv_b_proj.weight`, 128 * 256, 512);
    add(`${layer}self_attn.o_proj.weight`, 7168, 128 * 128);
    if (i < 3) mlp(`${layer}mlp`, 18_432);
    else {
      add(`${layer}mlp.gate.weight`, 256, 7168);
      add(`${layer}mlp.gate.e_score_correction_bias`, 256);
      for (let e = 0; e < 256; e++) mlp(`${layer}mlp.experts.${e}`, 2048);
      mlp(`${layer}mlp.shared_experts`, 2048);
    }
  }
  return { ...small, config, tensors: tensors as unknown as Checkpoint['tensors'] };
}
