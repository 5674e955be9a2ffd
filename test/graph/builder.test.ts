import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Builder } from '../../server/graph/builder.js';
import { emitOnnx } from '../../server/graph/emit.js';
import { type Exact, exact } from '../../server/graph/exact/tensor.js';
import { interpret } from '../../server/graph/interpreter.js';
import type { Value } from '../../server/graph/ir.js';
import { f32 } from '../../server/runtime/device.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { assertClose } from '../parity/oracle.js';

/** Inputs of every case. */
const given = {
  x: exact([2, 3], [-1.5, -0.5, 0.25, 0.75, 1.5, 3]),
  y: exact([1, 3], [2, -1, 0.5]),
  a: exact(
    [2, 3, 4],
    Array.from({ length: 24 }, (_, i) => i),
  ),
  p: exact(
    [2, 1, 2, 3],
    Array.from({ length: 12 }, (_, i) => i),
  ),
  q: exact([1, 3, 2], [0, 1, 4, 5, 8, 9]),
};
type Inputs = Record<keyof typeof given, Value>;

/** Operator → its shape and values; computed by NumPy 2.4 and PyTorch 2.13 in double precision. */
const cases: Readonly<Record<string, [(b: Builder, v: Inputs) => Value, readonly number[], readonly number[]]>> = {
  'add a number': [(b, { x }) => b.add(x, 2), [2, 3], [0.5, 1.5, 2.25, 2.75, 3.5, 5]],
  'div broadcasts': [(b, { x, y }) => b.div(x, y), [2, 3], [-0.75, 0.5, 0.5, 0.375, -1.5, 6]],
  gelu: [
    (b, { x }) => b.gelu(x, 'none'),
    [2, 3],
    [-0.1002108019, -0.1542687694, 0.1496765814, 0.5800294857, 1.399789198, 2.995950306],
  ],
  'gelu by tanh': [
    (b, { x }) => b.gelu(x, 'tanh'),
    [2, 3],
    [-0.100428423, -0.1542859902, 0.1496753507, 0.5799605552, 1.399571577, 2.996362608],
  ],
  softplus: [
    (b, { x }) => b.softplus(x),
    [2, 3],
    [0.201413278, 0.4740769842, 0.8259394199, 1.136871006, 1.701413278, 3.048587352],
  ],
  silu: [(b, { x }) => b.silu(x), [2, 3], [-0.2736382857, -0.1887703344, 0.1405441252, 0.5093840244, 1.226361714, 2.85772238]],
  softmax: [
    (b, { x }) => b.softmax(x),
    [2, 3],
    [0.1055644666, 0.2869539713, 0.6074815621, 0.07933526031, 0.1679527474, 0.7527119923],
  ],
  'log of 1 + a maximum': [
    (b, { x }) => b.log(b.add(b.op('Max', [x, b.neg(x)], x.shape), 1)),
    [2, 3],
    [0.9162907319, 0.4054651081, 0.2231435513, 0.5596157879, 0.9162907319, 1.386294361],
  ],
  sin: [(b, { x }) => b.sin(x), [2, 3], [-0.9974949866, -0.4794255386, 0.2474039593, 0.68163876, 0.9974949866, 0.1411200081]],
  cos: [(b, { x }) => b.cos(x), [2, 3], [0.07073720167, 0.8775825619, 0.9689124217, 0.7316888689, 0.07073720167, -0.9899924966]],
  tanh: [(b, { x }) => b.tanh(x), [2, 3], [-0.9051482536, -0.4621171573, 0.2449186624, 0.6351489524, 0.9051482536, 0.9950547537]],
  exp: [(b, { x }) => b.exp(x), [2, 3], [0.2231301601, 0.6065306597, 1.284025417, 2.117000017, 4.48168907, 20.08553692]],
  'where one is greater': [(b, { x, y }) => b.where(b.greater(x, y), b.relu(x), b.constant(-7)), [2, 3], [-7, 0, -7, -7, 1.5, 3]],
  'x xᵀ / 2': [(b, { x }) => b.matmul(x, x, { transB: true, alpha: 0.5 }), [2, 2], [1.28125, -0.5625, -0.5625, 5.90625]],
  'a batch of products': [(b, { p, q }) => b.matmul(p, q), [2, 1, 2, 2], [20, 23, 56, 68, 92, 113, 128, 158]],
  'sum over rows': [(b, { x }) => b.reduceSum(x, 0), [1, 3], [-0.75, 1, 3.25]],
  'mean of each row': [(b, { x }) => b.reduceMean(x, -1), [2, 1], [-0.5833333333, 1.75]],
  'largest of each column': [(b, { x }) => b.reduceMax(x, 0), [1, 3], [0.75, 1.5, 3]],
  transpose: [
    (b, { a }) => b.transpose(a, 2, 0, 1),
    [4, 2, 3],
    [0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22, 3, 7, 11, 15, 19, 23],
  ],
  'slices from both ends': [
    (b, { a }) => b.slice(b.slice(a, 1, -2, Number.MAX_SAFE_INTEGER), -1, 1, 3),
    [2, 2, 2],
    [5, 6, 9, 10, 17, 18, 21, 22],
  ],
  'gather on an inner axis': [
    (b, { a }) => b.gather(a, b.ints(2, 0), 1),
    [2, 2, 4],
    [8, 9, 10, 11, 0, 1, 2, 3, 20, 21, 22, 23, 12, 13, 14, 15],
  ],
  'split and concat without the middle': [
    (b, { a }) => {
      const [first, , last] = b.split(a, 1, [1, 1, 1]) as [Value, Value, Value];
      return b.concat([first, last], 1);
    },
    [2, 2, 4],
    [0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 20, 21, 22, 23],
  ],
  'reshape copies and infers': [(b, { a }) => b.slice(b.reshape(a, 0, -1, 2), 1, 5, 6), [2, 1, 2], [10, 11, 22, 23]],
  'a size and a range': [(b, { a }) => b.cast(b.range(b.size(a, 1), 3), 'f32'), [3], [0, 1, 2]],
  'unsqueeze and squeeze count from the end': [
    (b, { y }) => b.squeeze(b.unsqueeze(b.unsqueeze(y, -1), 0), -1),
    [1, 1, 3],
    [2, -1, 0.5],
  ],
  'layer norm': [
    (b, { x }) => {
      const [w, bias] = [b.constant(Float32Array.of(1.5, 0.5, -1), [3]), b.constant(Float32Array.of(0.1, 0.2, 0.3), [3])];
      return b.op('LayerNormalization', [x, w, bias], x.shape, { axis: -1, epsilon: 1e-5 });
    },
    [2, 3],
    [-1.818067377, 0.2581232539, -0.862465077, -1.503558288, 0.06637014264, -1.036298574],
  ],
  'RMS norm': [
    (b, { x }) => b.op('RMSNorm', [x, b.constant(Float32Array.of(1.5, 0.5, -1), [3])], x.shape, { eps: 1e-6 }),
    [2, 3],
    [-2.434506589, -0.2705007321, -0.2705007321, 0.5669466375, 0.377964425, -1.5118577],
  ],
};

for (const [name, [build, shape, expected]] of Object.entries(cases))
  test(name, async () => {
    const b = new Builder('one');
    const inputs = Object.fromEntries(Object.entries(given).map(([key, x]) => [key, b.input(key, 'f32', x.shape)])) as Inputs;
    const value = build(b, inputs);
    b.output('result', value);
    assert.deepEqual(value.shape, shape, 'the shape it says');
    const reference = { shape, data: Float32Array.from(expected) };

    const slow = interpret(b.graph, given, () => assert.fail('there are no weights')).get('result') as Exact;
    assertClose('interpreter', { shape: slow.shape, data: Float32Array.from(slow.data) }, reference, 1e-7);

    const device = new LocalDevice();
    const model = emitOnnx(b.graph, { place: () => assert.fail('there are no weights'), weights: 'prepack' });
    const session = await device.load(model, { folder: '.', threads: 1, prepack: true });
    const feed = ({ shape: dims, data }: Exact) => ({ kind: 'tensor', tensor: f32(dims, Float32Array.from(data)) }) as const;
    const feeds = Object.fromEntries(Object.entries(given).map(([key, x]) => [key, feed(x)]));
    const { result } = await device.run([{ session, feeds, sinks: { result: [{ kind: 'return', name: 'result' }] } }]);
    assertClose('ONNX Runtime', { shape: result?.dims ?? [], data: result?.data as Float32Array }, reference, 1e-6);
    await device.close();
  });

test('names stay apart: generated ones of two builders, and inputs asked for twice', () => {
  const [b, body] = [new Builder('graph'), new Builder('body', 'body.')];
  const x = b.input('x', 'f32', [1]);
  assert.equal(b.input('x', 'f32', [1]), x);
  assert.notEqual(b.relu(x).name, body.relu(x).name);
  assert.equal(b.graph.inputs.length, 1);
});
