import assert from 'node:assert/strict';
import { test } from 'node:test';
import { frequenciesAt, type Rope, rope, rotate } from '../../server/graph/blocks/rope.js';
import { ConfigReader } from '../../server/graph/config.js';
import { type Exact, exact } from '../../server/graph/exact/tensor.js';
import { interpret } from '../../server/graph/interpreter.js';
import { SegmentBuilder } from '../../server/graph/segmentBuilder.js';
import { assertClose } from '../parity/oracle.js';

interface Case {
  readonly dims: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly frequencies: readonly number[];
  readonly amplitude?: number;
  /** Tokens of the run, where they count. */
  readonly reach?: number;
}

const yarned = [1, 0.237170815, 0.049999997, 0.00790569466, 0.00249999994, 0.000790569466, 0.000250000012, 7.90569466e-5];
const longrope = {
  rope_theta: 500,
  max_position_embeddings: 512,
  original_max_position_embeddings: 20,
  rope_scaling: { type: 'longrope', short_factor: [1, 1.1, 1.4, 1.9], long_factor: [1.2, 2, 5, 8] },
};
const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4 };

/** inv_freq and attention_scaling of LlamaRotaryEmbedding in transformers 5.23, fp32. */
const cases: Readonly<Record<string, Case>> = {
  default: {
    dims: 8,
    config: { rope_theta: 10000 },
    frequencies: [1, 0.100000001, 0.00999999978, 0.00100000005],
  },
  'linear, old spelling': {
    dims: 8,
    config: { rope_theta: 500, rope_scaling: { type: 'linear', factor: 2.5 } },
    frequencies: [0.400000006, 0.0845896974, 0.0178885441, 0.00378296641],
  },
  'linear, new spelling': {
    dims: 8,
    config: { rope_parameters: { rope_type: 'linear', factor: 2.5, rope_theta: 500 } },
    frequencies: [0.400000006, 0.0845896974, 0.0178885441, 0.00378296641],
  },
  llama3: {
    dims: 16,
    config: { rope_theta: 500000, rope_scaling: { rope_type: 'llama3', ...llama3, original_max_position_embeddings: 32 } },
    frequencies: [1, 0.0242403448, 0.00470075384, 0.000911583134, 0.000176776681, 3.42810235e-5, 6.64786967e-6, 1.28917316e-6],
  },
  'llama3, whose original context is the whole one': {
    dims: 16,
    config: { rope_theta: 10000, max_position_embeddings: 256, rope_scaling: { rope_type: 'llama3', ...llama3 } },
    frequencies: [1, 0.316227764, 0.100000001, 0.00661310693, 0.00124999997, 0.000395284733, 0.000125000006, 3.95284733e-5],
  },
  yarn: {
    dims: 16,
    config: { rope_theta: 10000, rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 64 } },
    frequencies: yarned,
    amplitude: 1.138629436111989,
  },
  'yarn, factor from the contexts': {
    dims: 16,
    config: {
      rope_theta: 10000,
      max_position_embeddings: 256,
      rope_scaling: { rope_type: 'yarn', factor: null, original_max_position_embeddings: 64 },
    },
    frequencies: yarned,
    amplitude: 1.138629436111989,
  },
  'yarn with an attention factor': {
    dims: 16,
    config: {
      rope_theta: 10000,
      rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 64, attention_factor: 0.9 },
    },
    frequencies: yarned,
    amplitude: 0.9,
  },
  'yarn, not truncated, with mscale': {
    dims: 16,
    config: {
      rope_theta: 20000,
      rope_scaling: {
        rope_type: 'yarn',
        factor: 6,
        original_max_position_embeddings: 64,
        truncate: false,
        beta_fast: 16,
        beta_slow: 2,
        mscale: 1.3,
        mscale_all_dim: 0.7,
      },
    },
    frequencies: [1, 0.106213488, 0.0140149407, 0.00406408263, 0.0011785113, 0.000341747247, 9.91005945e-5, 2.87374023e-5],
    amplitude: 1.0955245739583177,
  },
  'dynamic within the trained context': {
    dims: 8,
    config: { rope_theta: 10000, max_position_embeddings: 64, rope_scaling: { type: 'dynamic', factor: 4 } },
    frequencies: [1, 0.100000001, 0.00999999978, 0.00100000005],
    reach: 64,
  },
  'dynamic beyond it': {
    dims: 8,
    config: { rope_theta: 10000, max_position_embeddings: 64, rope_scaling: { type: 'dynamic', factor: 4 } },
    frequencies: [1, 0.0675106421, 0.00455768639, 0.000307692331],
    reach: 100,
  },
  'longrope up to the original context': {
    dims: 8,
    config: { ...longrope },
    frequencies: [1, 0.192249313, 0.0319438279, 0.00497758714],
    amplitude: 1.4430536782939964,
    reach: 20,
  },
  'longrope beyond it': {
    dims: 8,
    config: { ...longrope },
    frequencies: [0.833333313, 0.10573712, 0.00894427206, 0.00118217699],
    amplitude: 1.4430536782939964,
    reach: 21,
  },
};

const close = (what: string, actual: ArrayLike<number>, expected: ArrayLike<number>) =>
  assertClose(
    what,
    { shape: [actual.length], data: Float32Array.from(actual) },
    { shape: [expected.length], data: Float32Array.from(expected) },
    1e-6,
  );

for (const [name, { dims, config, frequencies, amplitude = 1, reach = 1 }] of Object.entries(cases))
  test(`frequencies: ${name}`, () => {
    const r = rope(dims, new ConfigReader(config).rope());
    // each in its own scale: the lowest ones matter at far positions
    close(
      'frequencies',
      frequenciesAt(r, reach).map((f, i) => f / (frequencies[i] as number)),
      new Float32Array(dims / 2).fill(1),
    );
    close('amplitude', [r.amplitude], [amplitude]);
  });

test('what is not known is refused', () => {
  const of = (config: Readonly<Record<string, unknown>>) => () => rope(8, new ConfigReader(config).rope());
  assert.throws(of({ rope_scaling: { rope_type: 'spiral' } }), { code: 'ROPE_UNKNOWN' });
  assert.throws(of({ rope_scaling: { rope_type: 'linear' } }), { code: 'CONFIG_MISSING' });
  assert.throws(of({ rope_scaling: { rope_type: 'linear', factor: 'two' } }), { code: 'CONFIG_INVALID' });
  for (const dims of [0, -2, 5])
    assert.throws(() => rope(dims, new ConfigReader({}).rope()), { code: 'CONFIG_INVALID', message: /pairs/ });
});

/** One head of 6 dimensions at positions 3 and 7, through transformers 5.23's Llama (halves) and GLM (pairs, 4 of 6 dimensions), θ = 100. */
const head = [0.5, -1, 0.25, 2, -0.75, 1.25];
const rotated: Readonly<Record<string, readonly [Rope, readonly number[]]>> = {
  half: [
    rope(6, new ConfigReader({ rope_theta: 100 }).rope()),
    [
      [-0.7772362232, -0.3466035128, 0.07408255339, -1.90942502, -1.200985432, 1.272600412],
      [-0.93702209, 0.6858754754, -0.1621109992, 1.83629775, -1.045023918, 1.264405131],
    ].flat(),
  ],
  interleaved: [
    rope(4, new ConfigReader({ rope_theta: 100 }).rope(), 'interleaved'),
    [
      [-0.3538762331, 1.060552478, -0.3522062898, 1.984553099, -0.75, 1.25],
      [1.033937693, -0.4254089594, -1.097224832, 1.690738797, -0.75, 1.25],
    ].flat(),
  ],
};

for (const [style, [r, expected]] of Object.entries(rotated))
  test(`rotation: ${style}`, () => {
    const turned: number[] = [];
    for (const position of [3, 7]) {
      const g = new SegmentBuilder('rotation', { shape: () => null }, { probes: new Set(), interventions: new Set() });
      g.output('turned', rotate(g, g.input('x', 'f32', ['B', 1, 'T', 6]), r));
      const inputs = { x: exact([1, 1, 1, 6], head), past: exact([1], [position]) };
      const { data } = interpret(g.graph, inputs, () => assert.fail('there are no weights')).get('turned') as Exact;
      turned.push(...data);
    }
    close(style, turned, expected);
  });
