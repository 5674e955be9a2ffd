import { strict as assert } from 'node:assert';
import path from 'node:path';
import { test } from 'node:test';
import { openCheckpoint } from '../server/formats/registry.js';
import { Model } from '../server/runtime/model.js';
import { LocalDevice } from '../server/runtime/sessions.js';
import { boundsTable } from './bench/lib/bounds.js';
import { goals, goalsTable, outcome, type Result } from './bench/lib/goals.js';
import { figure, interleave, measuredOf, type Sample } from './bench/lib/measure.js';
import { byOperator, type TraceEvent } from './bench/lib/profile.js';
import { decodeBytes, prefillFlops } from './bench/lib/work.js';
import { peaksOf, shareOf, yardsticks } from './bench/lib/yardstick.js';

const sample = (wall: number, cpu = wall, rss = 100): Sample => ({ wall, cpu, rss });
const variant = (name: string, ...walls: number[]) => ({ name, samples: walls.map((wall) => sample(wall, 2 * wall)) });

test('medians, spread, and ratios of one round', () => {
  assert.deepEqual(figure([5, 1, 3]), { median: 3, min: 1, max: 5 });
  const [first, second] = measuredOf([variant('theirs', 10, 20, 40), variant('ours', 5, 40, 20)]);
  assert.deepEqual(first?.wallRatio, { median: 1, min: 1, max: 1 });
  // by round 0.5, 2, 0.5: not the ratio of the medians, which is 1
  assert.deepEqual(second?.wallRatio, { median: 0.5, min: 0.5, max: 2 });
  assert.deepEqual(second?.cpu, { median: 40, min: 10, max: 80 });
  assert.equal(second?.rss, 100);
});

test('variants and yardsticks take turns after one warm-up each', async () => {
  const order: string[] = [];
  const run = (name: string) => async () => {
    order.push(name);
    return sample(order.length);
  };
  const { measured, yardsticks: others } = await interleave(2, { a: run('a'), b: run('b') }, { y: run('y') });
  assert.equal(order.join(''), 'abyabyaby');
  assert.deepEqual(
    measured[1]?.samples.map(({ wall }) => wall),
    [5, 8],
  );
  assert.deepEqual(
    others[0]?.samples.map(({ wall }) => wall),
    [6, 9],
  );
});

test('a share of the peak says how much of the machine is used, by the clock and by processor time', () => {
  const peak = { wall: 200, cpu: 100 };
  // 1,000 in 10 ms by two threads that were busy for 16 ms together: 100 a millisecond, 125 had they been on all the time
  assert.deepEqual(shareOf(1000, { wall: 10, cpu: 16 }, peak, 2), { wall: 0.5, cpu: 1.25 });
});

test('yardsticks give their peak from the best round', async () => {
  const device = new LocalDevice();
  const names = Object.keys(await yardsticks(device, 1));
  await device.close();
  const measured = measuredOf(names.map((name) => variant(name, 4, 2, 8)));
  const { flops, bytes } = peaksOf(measured, 2);
  assert.equal(flops.wall, (2 * 2048 ** 3) / 2);
  assert.equal(flops.cpu, (2 * 2048 ** 3 * 2) / 4);
  assert.equal(bytes.wall, (3 * 4 * (32 << 20)) / 2);
});

test('operators of a trace are added up by type from where the measurement began, as they were and as when each node was fastest', () => {
  const session = (ts: number): TraceEvent => ({ cat: 'Session', name: 'model_run', ts, dur: 50 });
  const node = (op_name: string, ts: number, dur: number): TraceEvent => ({
    cat: 'Node',
    name: `${op_name}_kernel_time`,
    ts,
    dur,
    args: { op_name },
  });
  const first = [session(0), node('MatMul', 1, 9000), session(100), node('MatMul', 110, 2000), node('Add', 120, 500)];
  const again = [session(200), node('MatMul', 210, 1000)];
  const second = [
    session(300),
    node('MatMul', 310, 4000),
    node('Scan', 305, 6000),
    { ...node('Add', 320, 7000), name: 'n_fence_before' },
  ];
  const operators = byOperator(
    [
      { events: [...first, ...again], skip: 1 },
      { events: second, skip: 0 },
      { events: [session(0), node('Cast', 5, 1000)], skip: 1 },
    ],
    2,
  );
  assert.deepEqual(
    [...operators],
    [
      ['MatMul', { ms: 3.5, best: 3, count: 1.5 }],
      ['Add', { ms: 0.25, best: 0.25, count: 0.5 }],
    ],
  );
});

test('goals compare our slowest with their fastest, round by round', () => {
  const result = (...variants: ReturnType<typeof variant>[]): Result => ({
    date: '2026-01-01T00:00:00Z',
    threads: 1,
    measured: measuredOf(variants),
  });
  const goal = (line: string) => {
    const found = goals.find((each) => each.line === line);
    assert.ok(found, line);
    return found;
  };
  const speed = result(
    variant('llama.cpp, flash attention', 30, 30, 30),
    variant('llama.cpp', 25, 25, 35),
    variant('Model Lab, int4', 20, 20, 20),
  );
  const found = outcome(goal('llama-Q4_1-decode-256'), speed);
  assert.equal(found?.theirs, 'llama.cpp');
  assert.deepEqual(found?.wall, { median: 1.25, min: 1.25, max: 1.75 });
  assert.equal(found?.met, true);
  assert.equal(found?.bound, null);
  // 400 bytes at 10 a millisecond of processor time take 40 ms of the 50 that they took: 1.25 times their speed
  const counted = {
    load: { kind: 'bytes', amount: 400 },
    peaks: { bytes: { wall: 20, cpu: 10 }, flops: { wall: 1, cpu: 1 } },
  } as const;
  assert.equal(outcome(goal('llama-Q4_1-decode-256'), { ...speed, ...counted })?.bound, 1.25);
  assert.equal(outcome(goal('llama-Q4_1-prefill'), speed)?.met, false);
  // 40 of our 40 ms of processor time at the peak; from 1.25 × their speed to 1.5 ×
  const bounds = boundsTable(
    new Map([['llama-Q4_1-prefill', { ...speed, load: { kind: 'flops', amount: 40 }, peaks: counted.peaks }]]),
    new Map([
      [
        'llama-Q4_1-prefill',
        [
          ['MatMulNBits', 6],
          ['Add', 3],
          ['Mul', 1],
        ],
      ],
    ]),
  );
  assert.match(bounds, /prefill of 512 \| 100 % \| 120 % \| 60 % \| Add 30 %, Mul 10 % \|/);
  const probe = result(
    variant('own prefill ÷ 12 blocks', 10, 10, 10),
    variant('blocks.6.attn.q', 5, 5, 5),
    variant('blocks.6.resid_post', 16, 14, 16),
    variant('attn.scores of a block not yet looked at', 90, 90, 90),
  );
  assert.deepEqual(outcome(goal('probe'), probe)?.wall, { median: 1.6, min: 1.4, max: 1.6 });
  assert.equal(outcome(goal('probe'), probe)?.met, false);
  assert.equal(outcome(goal('gpt2-prefill'), result(variant('Model Lab', 1))), null);
  const looks = result(variant('tiny-mamba, 1,024 tokens', 20, 30, 40), variant('tiny-rwkv7, 1,024 tokens', 49, 51, 60));
  const slowest = outcome(goal('state-anywhere'), looks);
  assert.deepEqual([slowest?.ours, slowest?.wall.median, slowest?.met], ['tiny-rwkv7, 1,024 tokens', 51, false]);
  const table = goalsTable(new Map([['probe', probe]]));
  assert.match(table, /slowest of six\) \| own forward ÷ 12 blocks \| ≤ 1.5 × the time \| 1.60 × \(1.40–1.60\) \|.*missed/);
  const columns = table
    .split('\n')
    .filter((row) => row.startsWith('|'))
    .map((row) => row.split('|').length);
  assert.deepEqual(new Set(columns), new Set([columns[0]]));
  assert.equal(table.match(/not measured/g)?.length, goals.length - 1);
});

test('what a model has to compute and read', async () => {
  const device = new LocalDevice();
  const checkpoint = await openCheckpoint(path.resolve(import.meta.dirname, '../media/models/tiny-llama'));
  const model = await Model.open(checkpoint, { device, threads: 1 });
  try {
    const c = checkpoint.config as Record<string, number>;
    const [D, F, L, V] = [c.hidden_size, c.intermediate_size, c.num_hidden_layers, c.vocab_size] as [
      number,
      number,
      number,
      number,
    ];
    const [H, K] = [c.num_attention_heads, c.num_key_value_heads] as [number, number];
    const E = c.head_dim ?? D / H;
    const matrices = D * E * (2 * H + 2 * K) + 3 * D * F;
    const prefill = (T: number) => L * (2 * T * matrices + 4 * T * T * H * E) + 2 * D * V;
    const near = (ours: number, expected: number) =>
      assert.ok(Math.abs(ours / expected - 1) < 0.01, `${ours} is not ${expected}`);
    near(prefillFlops(model, 100), prefill(100));
    // chunks of 256: the second scores its tokens against the first's as well
    near(prefillFlops(model, 512), prefill(256) + prefill(256) - 2 * D * V + L * 4 * 256 * 256 * H * E);
    const stored = [...checkpoint.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    const rows = L * 2 * K * E * 4;
    const more = decodeBytes(model, 1000) - decodeBytes(model, 0);
    near(more, 1000 * rows);
    assert.ok(decodeBytes(model, 0) <= stored + 4 * rows + 4 * D);
    assert.ok(decodeBytes(model, 0) > 0.9 * (stored - (c.tie_word_embeddings ? 0 : V * D * 4)));
  } finally {
    await model.close();
    await device.close();
  }
});
