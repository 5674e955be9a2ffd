import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readOnnxSkeleton } from '../../server/formats/onnxSkeleton.js';
import { openCheckpoint } from '../../server/formats/registry.js';
import { emitCut, emitWhole } from '../../server/graph/onnx/surgery.js';
import { toLabError } from '../../server/protocol/errors.js';
import type { HostTensor } from '../../server/runtime/elements.js';
import type { Tensors } from '../../server/runtime/forward.js';
import { OnnxForward } from '../../server/runtime/onnx/forward.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { onnxNodes } from '../onnxNodes.mjs';
import { equalBits, equalHalves, readPb, testsOf } from './onnxNodeTests.js';

/**
 * ONNX's own backend tests as a manifest. Whatever ONNX Runtime runs as it is given must run the same after it was opened, cut and written
 * again, bit for bit; and every inner value must come out, alone or with all others, with the same bits.
 */
const root = onnxNodes();
const skip = root === null && 'ONNX’s backend tests cannot be had: they need python3 with pip and a package index';
const device = new LocalDevice();
after(() => device.close());

const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 4, executionProviders: ['cpu'] } as const;
/** Fusions across a value that is read are not made, which changes last bits: inner values are compared without any. */
const unfused = { ...options, graphOptimizationLevel: 'disabled' } as const;

type Outcome = 'same' | 'same through a type that holds it' | 'not run by ONNX Runtime' | 'no tensors';

class Tally {
  readonly outcomes = new Map<Outcome, number>();
  probes = 0;
  named = 0;
  readonly failures: string[] = [];

  add(outcome: Outcome): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }
}

async function give(model: Uint8Array | string, feeds: Tensors, settings: InferenceSession.SessionOptions): Promise<Tensors> {
  const session = await (typeof model === 'string'
    ? InferenceSession.create(model, settings)
    : InferenceSession.create(model, settings));
  // fetching these would end the process
  if (session.outputMetadata.some((output) => !output.isTensor || /int[24]$|string/.test(output.type)))
    throw new Error('no tensor for JavaScript');
  const inputs = session.inputNames.map((name) => {
    const { type, data, dims } = feeds.get(name) as HostTensor;
    return [name, new Tensor(type, data as Float32Array, dims)] as const;
  });
  const out = await session.run(Object.fromEntries(inputs));
  await session.release();
  return new Map(Object.entries(out).map(([name, { type, data, dims }]) => [name, { type, data, dims } as HostTensor]));
}

function inputsOf(folder: string, forward: OnnxForward): Tensors | null {
  const inputs = new Map<string, HostTensor>();
  for (const { name } of forward.inputs) {
    const place = forward.document.graph.input.findIndex((input) => input.name === name);
    const tensor = readPb(path.join(folder, `test_data_set_0/input_${place}.pb`));
    if (!tensor) return null;
    inputs.set(name, tensor);
  }
  return inputs;
}

async function check(folder: string, tally: Tally): Promise<void> {
  const file = path.join(folder, 'model.onnx');
  const checkpoint = await openCheckpoint(file);
  let forward: OnnxForward;
  try {
    forward = await OnnxForward.open(checkpoint, { device, threads: 1 });
  } catch (error) {
    assert.equal(toLabError(error).code, 'INPUT_UNSUPPORTED');
    return tally.add('no tensors');
  }
  try {
    // weights of some size are left out of what is parsed
    const moved = [...checkpoint.tensors.values()].some(({ bytes }) => bytes >= 4096);
    const source = moved ? await readOnnxSkeleton(file) : readFileSync(file);
    assert.ok(Buffer.from(emitWhole(forward.document)).equals(source), 'written again it is another file');
    const inputs = inputsOf(folder, forward);
    if (!inputs) return tally.add('no tensors');
    const given = await give(file, inputs, options).catch(() => null);
    if (given) await compare(forward, file, inputs, given, tally);
    else await standIn(folder, forward, inputs, tally);
  } finally {
    await forward.close();
  }
}

/** Outputs with the model's own optimisations, inner values without. */
async function compare(forward: OnnxForward, file: string, inputs: Tensors, given: Tensors, tally: Tally): Promise<void> {
  const pass = forward.begin(inputs);
  assert.deepEqual([...pass.outputs], [...given.keys()]);
  const read = await pass.read(pass.outputs);
  for (const [name, tensor] of given) assert.ok(equalBits(read.get(name) as HostTensor, tensor), `output ${name}`);
  tally.add('same');
  const inner = forward.values.names.filter((name) => !given.has(name));
  const named = forward.probes.filter((name) => !forward.values.has(name));
  for (const name of named) await pass.read([name]);
  tally.named += named.length;
  if (inner.length === 0) return;
  // On the CPU halves are computed as fp32 in between, so that what is read decides where they are rounded.
  const halves = [...forward.values.types.values()].includes('F16');
  const [settings, equal] = halves ? [options, equalHalves] : [unfused, equalBits];
  const plain = await give(file, inputs, settings);
  const readable: string[] = [];
  for (const name of inner) {
    try {
      await pass.read([name]);
      readable.push(name);
    } catch (error) {
      assert.equal(toLabError(error).code, 'PROBE_UNREACHABLE', `${name}: ${toLabError(error).message}`);
      assert.match(toLabError(error).message, /sequence|holds STRING/);
    }
  }
  const together = forward.values.cut([...given.keys(), ...readable]);
  const all = await give(emitCut(forward.document, together.cut), inputs, settings);
  for (const [name, tensor] of plain) assert.ok(equal(all.get(name) as HostTensor, tensor), `output ${name} beside all probes`);
  for (const name of readable) {
    const alone = forward.values.cut([name]);
    const output = alone.outputs.get(name) as string;
    const one = await give(emitCut(forward.document, alone.cut), inputs, settings);
    assert.ok(equal(one.get(output) as HostTensor, all.get(output) as HostTensor), `probe ${name}`);
  }
  tally.probes += readable.length;
}

/** What JavaScript has no type for is cast to one that holds it, and compared with what ONNX says must come out. */
async function standIn(folder: string, forward: OnnxForward, inputs: Tensors, tally: Tally): Promise<void> {
  const pass = forward.begin(inputs);
  let read: Tensors;
  try {
    read = await pass.read(pass.outputs);
  } catch (error) {
    const { code } = toLabError(error);
    assert.ok(['RUNTIME_FAILED', 'PROBE_UNREACHABLE'].includes(code), code);
    return tally.add('not run by ONNX Runtime');
  }
  for (const [i, name] of forward.outputs.entries()) {
    const expected = readPb(path.join(folder, `test_data_set_0/output_${i}.pb`));
    const actual = read.get(name);
    if (!expected || !actual) continue;
    assert.deepEqual([...actual.dims], [...expected.dims]);
    for (const [at, value] of [...expected.data].entries()) {
      const [a, b] = [Number(actual.data[at]), Number(value)];
      const close = Object.is(a, b) || a === b || Math.abs(a - b) <= 0.02 * (1 + Math.abs(b));
      assert.ok(close || (Number.isNaN(a) && Number.isNaN(b)), `output ${name} at ${at}: ${a} instead of ${b}`);
    }
  }
  tally.add('same through a type that holds it');
}

for (const kinds of [['node'], ['simple', 'pytorch-converted', 'pytorch-operator']])
  test(`ONNX's ${kinds.join(', ')} tests: written again they give the same bits, with every value as a probe`, {
    skip,
  }, async (t) => {
    const tally = new Tally();
    const folders = testsOf(root as string, kinds);
    for (const folder of folders)
      await check(folder, tally).catch((error) => tally.failures.push(`${path.basename(folder)}: ${toLabError(error).message}`));
    const counts = [...tally.outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
    t.diagnostic(
      `${folders.length} models: ${counts}; ${tally.probes} inner values, ${tally.named} by names of blocks; ${tally.failures.length} failed`,
    );
    assert.deepEqual(tally.failures, []);
    assert.ok((tally.outcomes.get('same') ?? 0) > folders.length / 2);
  });
