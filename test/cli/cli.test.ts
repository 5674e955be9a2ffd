import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Tensor } from '../../server/tensor/tensor.js';
import { readOracle as readTensors } from '../fixtures/readOracle.js';
import { assertClose, fixtures, readOracle } from '../parity/oracle.js';
import { cli, root } from './command.js';

const models = path.join(root, 'media/models');
const onnx = path.join(root, 'test/fixtures/onnx/lm/fused.onnx');
const folder = mkdtempSync(path.join(tmpdir(), 'model-lab-cli-'));

function ok(...args: string[]): string {
  const { status, stdout, stderr } = cli(...args);
  assert.equal(status, 0, stderr);
  return stdout;
}

test('inspect says what headers say, as JSON', () => {
  const said = JSON.parse(ok('inspect', path.join(models, 'tiny-mamba'), '--tokens', '10'));
  assert.equal(said.architecture, 'mamba');
  assert.equal(said.format, 'safetensors');
  assert.equal(
    said.parameters,
    said.tensors.reduce((n: number, t: { shape: number[] }) => n + t.shape.reduce((a, b) => a * b, 1), 0),
  );
  assert.deepEqual(said.state.declared[1], {
    name: 'blocks.0.state.ssm',
    kind: 'matrix',
    shape: [384, 16],
    dtype: 'F32',
    bytes: 384 * 16 * 4,
  });
  assert.equal(said.state.bytes, 8 * (384 * 16 + 384 * 4) * 4);
  assert.ok(said.probes.includes('blocks.i.mixer.delta'));
});

test('what is assumed of a family known by no name warns, and --config says otherwise', async () => {
  const helium = path.join(fixtures, '../oracles_inferred/helium');
  const at = path.join(folder, 'unknown');
  cpSync(helium, at, { recursive: true });
  const config = JSON.parse(readFileSync(path.join(helium, 'config.json'), 'utf8'));
  writeFileSync(
    path.join(at, 'config.json'),
    JSON.stringify({ ...config, model_type: 'unknown', architectures: [], rms_norm_eps: 1.1e-8 }),
  );
  const oracle = await readTensors(path.join(helium, 'oracle.safetensors'));
  const ids = [...(oracle.get('input_ids')?.data ?? [])].join();
  const out = path.join(folder, 'assumed.safetensors');
  const assumed = cli('run', at, '--ids', ids, '--out', out);
  assert.match(
    assumed.stderr,
    /^warning\[ASSUMED\]: unknown \(inferred\): dimensions i and i \+ half turn together .*--config rope_interleave=true/,
  );
  const told = cli('run', at, '--ids', ids, '--config', 'rope_interleave=true', '--out', out);
  assert.equal(told.stderr, '');
  assertClose('logits', (await readTensors(out)).get('logits') as Tensor, oracle.get('logits') as Tensor);
  assert.match(cli('inspect', at, '--config', 'rope_interleave').stderr, /^error\[USAGE\]: .*KEY=VALUE/);
});

test('inspect tells the graph: which segments are built alike, and the operators of one', () => {
  const model = path.join(models, 'tiny-llama');
  const outline = JSON.parse(ok('inspect', model, '--graph', 'outline'));
  assert.deepEqual(
    outline.parts.map(({ structure }: { structure: number }) => structure),
    [0, 1, 1, 1, 1, 1, 6],
  );
  const block = JSON.parse(ok('inspect', model, '--graph', '2'));
  assert.equal(block.nodes.length, outline.parts[3].operators);
  assert.match(cli('inspect', model, '--graph', 'all').stderr, /^error\[USAGE\]: .*--graph is "all"/);
  assert.match(cli('inspect', model, '--graph', '5').stderr, /^error\[PART_UNKNOWN\]/);
});

test('inspect predicts whether a model runs, here and on another machine', () => {
  const model = path.join(models, 'tiny-rwkv7');
  const there = JSON.parse(ok('inspect', model, '--roofline', '--machine', 'h100', '--tokens', '100'));
  assert.equal(there.machine.name, 'NVIDIA H100 SXM');
  assert.equal(there.memory.state, (5 * (3 * 64 * 64 + 2 * 192) * 4) / 2);
  const here = JSON.parse(ok('inspect', model, '--roofline', '--measure', '--tokens', '20', '--threads', '1'));
  assert.equal(here.machine.measured.threads, 1);
  assert.equal(here.measured.parts.length, here.decode.parts.length);
  assert.ok(here.measured.parts.every(({ decode }: { decode: number }) => decode > 0));
  assert.match(cli('inspect', model, '--roofline', '--machine', 'abacus').stderr, /^error\[MACHINE_UNKNOWN\]/);
});

test('a pattern of probes means the layers that have them', async () => {
  const out = path.join(folder, 'hybrid.safetensors');
  const [hybrid, oracle] = [path.join(fixtures, 'jamba'), await readOracle('jamba')];
  const ids = (oracle.get('input_ids') as Tensor).data.join();
  ok('run', hybrid, '--ids', ids, '--probe', 'blocks.*.attn.pattern', '--probe', 'blocks.i.state.ssm', '--out', out);
  const probes = await readTensors(out);
  const names = [...probes.keys()].filter((name) => name.startsWith('blocks.'));
  assert.deepEqual(
    names.sort(),
    ['0.state.ssm', '1.attn.pattern', '2.state.ssm', '3.attn.pattern'].map((name) => `blocks.${name}`),
  );
  for (const block of [1, 3])
    assertClose(`${block}`, probes.get(`blocks.${block}.attn.pattern`) as Tensor, oracle.get(`attn.${block}`) as Tensor);
});

test('a value of the graph is a probe by its own name', () => {
  const out = path.join(folder, 'value.safetensors');
  const block = JSON.parse(ok('inspect', path.join(models, 'tiny-llama'), '--graph', '1'));
  const { name } = block.values.find(({ probes }: { probes: string[] }) => probes.includes('mlp.post'));
  const probes = [`blocks.1.#${name}`, 'blocks.1.mlp.post', 'embed.#v0', 'embed'];
  ok('run', path.join(models, 'tiny-llama'), '--prompt', 'Anna', ...probes.flatMap((p) => ['--probe', p]), '--out', out);
  return readTensors(out).then((tensors) => {
    for (const [a, b] of [probes.slice(0, 2), probes.slice(2)] as [string, string][])
      assertClose(a, tensors.get(a) as Tensor, tensors.get(b) as Tensor);
  });
});

test('tokenize gives ids and offsets in UTF-16 units', () => {
  const text = '从前 Anna 😀';
  const said = JSON.parse(ok('tokenize', path.join(models, 'tiny-llama'), '--text', text));
  assert.deepEqual(
    said.ids,
    said.pieces.map((p: { id: number }) => p.id),
  );
  assert.equal(said.pieces.at(-1).end, text.length);
});

test('tokenize reads a file or standard input; --json has bytes, roles and merges', () => {
  const file = path.join(folder, 'text.txt');
  const text = 'The\r\nhouse ☕\0<|endoftext|>';
  writeFileSync(file, text);
  const said = JSON.parse(ok('tokenize', '--tokenizer', 'cl100k_base', '--file', file, '--json'));
  assert.equal(Buffer.from(said.pieces.flatMap((piece: { bytes: number[] }) => piece.bytes)).toString(), text);
  assert.deepEqual(said.counts, { tokens: said.ids.length, characters: 26, bytes: 28 });
  assert.equal(said.difference, null);
  const { tree } = said.origins[said.ids[0]];
  assert.deepEqual([tree.text, tree.rank, tree.step], ['The', 791, 2]);
  const line = ['--import', 'tsx', 'server/cli.ts', 'tokenize', path.join(models, 'tiny-llama'), '--stdin', '--json'];
  const piped = spawnSync(process.execPath, line, { cwd: root, input: 'x<|endoftext|>', encoding: 'utf8' });
  const { pieces } = JSON.parse(piped.stdout) as { pieces: { role: string }[] };
  assert.deepEqual(
    pieces.map(({ role }) => role),
    ['text', 'special'],
  );
});

test('tokenize --tokenizer needs no model', () => {
  const said = JSON.parse(ok('tokenize', '--tokenizer', 'cl100k_base', '--text', 'Hello 東京'));
  // As tiktoken 0.14.0 encodes it: the second and third token share a character.
  assert.deepEqual(said.ids, [9906, 61696, 109, 47653]);
  assert.deepEqual(
    said.pieces.map((p: { start: number; end: number }) => [p.start, p.end]),
    [
      [0, 5],
      [5, 7],
      [6, 7],
      [7, 8],
    ],
  );
});

for (const text of ['-42', '--', '--out', '-'])
  test(`tokenize takes the text ${text}`, () => {
    const { pieces } = JSON.parse(ok('tokenize', path.join(models, 'tiny-llama'), '--text', text));
    assert.equal(pieces.map((p: { text: string }) => p.text).join(''), text);
  });

for (const name of ['tiny-llama', 'tiny-mamba', 'tiny-rwkv7'])
  test(`run: logits, hidden states and greedy ids of ${name} equal the reference`, async () => {
    const oracle = await readOracle(name);
    const ids = [...(oracle.get('input_ids') as Tensor).data];
    const greedy = [...(oracle.get('greedy.ids') as Tensor).data];
    const out = path.join(folder, `${name}.safetensors`);
    ok(
      'run',
      path.join(models, name),
      '--ids',
      ids.join(','),
      '--probe',
      'blocks.*.resid_post',
      '--generate',
      String(greedy.length),
      '--out',
      out,
    );
    const made = await readTensors(out);
    assertClose('logits', made.get('logits') as Tensor, oracle.get('logits') as Tensor);
    const last = Math.max(...[...made.keys()].map((key) => Number(/^blocks\.(\d+)\./.exec(key)?.[1] ?? 0)));
    assertClose('hidden_prenorm', made.get(`blocks.${last}.resid_post`) as Tensor, oracle.get('hidden_prenorm') as Tensor);
    assert.deepEqual([...(made.get('generated') as Tensor).data], greedy);
  });

test('run --all covers the generated tokens too', async () => {
  const out = path.join(folder, 'all.safetensors');
  ok(
    'run',
    path.join(models, 'tiny-llama'),
    '--prompt',
    'Once upon a time',
    '--generate',
    '3',
    '--all',
    '--probe',
    'blocks.0.attn.pattern',
    '--out',
    out,
  );
  const made = await readTensors(out);
  const T = (made.get('input_ids') as Tensor).data.length + 3;
  assert.deepEqual([...(made.get('blocks.0.attn.pattern') as Tensor).shape], [6, T, T]);
  assert.equal((made.get('logits') as Tensor).shape[0], T);
});

test('generate streams the text of the greedy ids', async () => {
  const text = ok(
    'generate',
    path.join(models, 'tiny-rwkv7'),
    '--prompt',
    'Once upon a time',
    '--max',
    '12',
    '--temperature',
    '0',
  );
  const out = path.join(folder, 'text.safetensors');
  ok('run', path.join(models, 'tiny-rwkv7'), '--prompt', `Once upon a time${text.slice(0, -1)}`, '--out', out);
  const made = await readTensors(out);
  const prompt = JSON.parse(ok('tokenize', path.join(models, 'tiny-rwkv7'), '--text', 'Once upon a time')).ids.length;
  const V = (made.get('logits') as Tensor).shape[1] as number;
  const ids = [...(made.get('input_ids') as Tensor).data];
  for (let t = prompt; t < ids.length; t++) {
    const row = (made.get('logits') as Tensor).data.subarray((t - 1) * V, t * V);
    assert.equal(row.indexOf(Math.max(...row)), ids[t], `token ${t} is the likeliest`);
  }
});

const refused: readonly (readonly [args: readonly string[], code: string])[] = [
  [['run', 'no/such/folder', '--ids', '1', '--out', 'OUT'], 'FILE_NOT_FOUND'],
  [['run', path.join(models, 'tiny-llama'), '--ids', '99999', '--out', 'OUT'], 'TOKEN_INVALID'],
  [['run', path.join(models, 'tiny-llama'), '--ids', '1,x', '--out', 'OUT'], 'USAGE'],
  [['run', path.join(models, 'tiny-llama'), '--ids', '1', '--probe', 'blocks.0.nothing', '--out', 'OUT'], 'PROBE_UNKNOWN'],
  [['run', path.join(models, 'tiny-llama'), '--ids', '1', '--probe', 'blocks.7.ln1', '--out', 'OUT'], 'PROBE_UNKNOWN'],
  [['run', path.join(fixtures, 'llama'), '--prompt', 'hi', '--out', 'OUT'], 'TOKENIZER_MISSING'],
  [['run', 'package.json', '--ids', '1', '--out', 'OUT'], 'FORMAT_UNKNOWN'],
  [['generate', path.join(models, 'tiny-llama'), '--prompt', 'hi', '--max', '2', '--chat'], 'CHAT_TEMPLATE'],
  [['generate', path.join(models, 'tiny-llama'), '--prompt', 'hi'], 'USAGE'],
  [['run', onnx, '--ids', '1,2', '--dtype', 'int4', '--out', 'OUT'], 'DTYPE_FIXED'],
  [['run', onnx, '--ids', '1,2', '--kl', '--out', 'OUT'], 'DTYPE_FIXED'],
  [['tokenize', '--tokenizer', 'cl100k', '--text', 'hi'], 'TOKENIZER_UNKNOWN'],
  [['tokenize', path.join(models, 'tiny-llama'), '--tokenizer', 'gpt2', '--text', 'hi'], 'USAGE'],
  [['tokenize', '--text', 'hi'], 'USAGE'],
  [['tokenize', '--tokenizer', 'gpt2', '--text', 'hi', '--stdin'], 'USAGE'],
  [['tokenize', '--tokenizer', 'gpt2', '--file', path.join(models, 'nothing.txt')], 'FILE_UNREADABLE'],
  [['nothing'], 'USAGE'],
];

for (const [args, code] of refused)
  test(`${args.map((a) => path.basename(a)).join(' ')}: one line, ${code}, exit 2, no file`, () => {
    const out = path.join(folder, 'refused.safetensors');
    const { status, stdout, stderr } = cli(...args.map((a) => (a === 'OUT' ? out : a)));
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, new RegExp(`^error\\[${code}\\]: .+ \\(.+\\)\\n$`));
    assert.ok(!existsSync(out));
    assert.ok(!readdirSync(folder).some((name) => name.endsWith('.partial')));
  });

test('run --dtype int4 --kl says and writes how far it is from fp32', async () => {
  const [rounded, exact] = [path.join(folder, 'int4.safetensors'), path.join(folder, 'fp32.safetensors')];
  const common = ['run', path.join(models, 'tiny-llama'), '--prompt', 'Once upon a time there was'];
  const said = ok(...common, '--dtype', 'int4', '--kl', '--out', rounded);
  ok(...common, '--dtype', 'fp32', '--out', exact);
  const [mine, theirs] = [await readTensors(rounded), await readTensors(exact)];
  const [p, q] = [theirs.get('logits') as Tensor, mine.get('logits') as Tensor];
  const [T, V] = p.shape as [number, number];
  const kl = Float32Array.from({ length: T }, (_, t) => {
    const log = (x: Tensor) => {
      const row = [...x.data.subarray(t * V, (t + 1) * V)];
      const sum = Math.log(row.reduce((a, b) => a + Math.exp(b), 0));
      return row.map((v) => v - sum);
    };
    const [a, b] = [log(p), log(q)];
    return a.reduce((sum, v, i) => sum + Math.exp(v) * (v - (b[i] as number)), 0);
  });
  assertClose('kl', mine.get('kl') as Tensor, { shape: [T], data: kl }, 1e-5);
  const mean = kl.reduce((a, b) => a + b, 0) / T;
  assert.ok(mean > 1e-4);
  assert.match(said, new RegExp(`^KL to fp32: ${mean.toPrecision(3)} nats a token over ${T} tokens`));
  assert.match(cli(...common, '--dtype', 'int3', '--out', exact).stderr, /error\[USAGE\].*own, fp32, int8, int4/);
});

test('Ctrl+C leaves no weights in the folder of temporary files', async () => {
  const temporary = mkdtempSync(path.join(folder, 'tmp-'));
  const left = () => readdirSync(temporary).filter((name) => name.startsWith('model-lab-'));
  const endless = path.join(temporary, 'endless');
  cpSync(path.join(models, 'tiny-mamba'), endless, { recursive: true });
  writeFileSync(path.join(endless, 'generation_config.json'), '{"eos_token_id": 99999}');
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', 'server/cli.ts', 'generate', endless, '--dtype', 'int8', '--prompt', 'Once', '--max', '100000'],
    { cwd: root, env: { ...process.env, TMPDIR: temporary }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  const ended = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), ended]);
  assert.equal(left().length, 1, said);
  child.kill('SIGINT');
  assert.deepEqual(await ended, [null, 'SIGINT']);
  assert.deepEqual(left(), []);
});

test('what a run writes does not take the place of its own weights', () => {
  const model = path.join(folder, 'own');
  cpSync(path.join(models, 'tiny-llama'), model, { recursive: true });
  const weights = path.join(model, 'model.safetensors');
  const { status, stderr } = cli('run', model, '--ids', '1,2', '--out', weights);
  assert.equal(status, 2);
  assert.match(stderr, /^error\[USAGE\]: --out is /);
  assert.deepEqual(readFileSync(weights), readFileSync(path.join(models, 'tiny-llama/model.safetensors')));
});
