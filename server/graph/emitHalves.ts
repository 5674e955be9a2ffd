import type { Emitter, NodeInit } from './emit.js';
import { AttributeProto_AttributeType, TensorProto_DataType } from './onnx_pb.js';
import type { HalfPlace } from './weightPlace.js';

/** Weights that are widened at a time: for one token what a core's second cache holds twice, for many few large products. */
const PIECE = { one: 1 << 17, many: 1 << 22 };

export interface HalfProduct {
  readonly x: string;
  /** Axes of x. */
  readonly rank: number;
  readonly w: string;
  readonly y: string;
  /** x is one row. */
  readonly one: boolean;
}

/**
 * y = x Wᵀ with W [N,K] in half precision, computed in fp32: a Scan reads the file some rows at a time, widens them and multiplies by them while
 * they are in the cache. So memory gives 2 bytes a weight and no wide copy is held. Rows that are over when all pieces are alike are widened with the session.
 */
export function halfProduct(e: Emitter, place: HalfPlace, { x, rank, w, y, one }: HalfProduct): void {
  const [N, K] = (place.turned ? place.shape.toReversed() : place.shape) as [number, number];
  const most = one ? PIECE.one * e.threads : PIECE.many;
  const pieces = Math.min(N, Math.max(2, Math.ceil((N * K) / most)));
  const rows = Math.floor(N / pieces);
  const split = pieces * rows * K * 2;
  const parts = e.external(`${w}.parts`, 'F16', [pieces, rows, K], { ...place, bytes: split });
  // a factor of one row would be packed with the matrix; of many rows it costs nothing
  const alpha = one ? 1 : place.factor;
  e.node(scan({ x, parts, y: `${y}.parts`, rank, rows, alpha }, one ? 0 : rank - 1));
  const whole = N === pieces * rows;
  const scaled = one && place.factor !== 1;
  const done = scaled ? `${y}.product` : y;
  const main = whole ? done : `${y}.main`;
  const dims = one
    ? [...new Array<number>(rank - 1).fill(1), pieces * rows]
    : [...new Array<number>(rank - 1).fill(0), pieces * rows];
  e.emit('Reshape', [`${y}.parts`, e.ints(`${y}.dims`, dims)], [main]);
  if (!whole) {
    const rest = { ...place, offset: place.offset + split, bytes: place.bytes - split };
    e.emit('Cast', [e.external(`${w}.rest`, 'F16', [N - pieces * rows, K], rest)], [`${y}.wide`], {
      to: TensorProto_DataType.FLOAT,
    });
    e.emit('FusedMatMul', [x, `${y}.wide`], [`${y}.rest`], { transB: true, alpha }, 'com.microsoft');
    e.emit('Concat', [main, `${y}.rest`], [done], { axis: -1 });
  }
  if (scaled) e.scale(done, place.factor, y);
}

interface Pieces {
  readonly x: string;
  /** F16 [n, rows, K]. */
  readonly parts: string;
  readonly y: string;
  readonly rank: number;
  readonly rows: number;
  readonly alpha: number;
}

/** Products of x with each piece, [..., rows], put side by side at `axis`. */
function scan({ x, parts, y, rank, rows, alpha }: Pieces, axis: number): NodeInit {
  const { FLOAT, FLOAT16 } = TensorProto_DataType;
  const { INT, INTS, FLOAT: NUMBER, GRAPH } = AttributeProto_AttributeType;
  const [half, wide, product] = [`${y}.half`, `${y}.wide`, `${y}.product`];
  const shape = [...new Array<object>(rank - 1).fill({}), { value: { case: 'dimValue' as const, value: BigInt(rows) } }];
  const tensor = (name: string, elemType: number, dim?: typeof shape) => ({
    name,
    type: { value: { case: 'tensorType' as const, value: { elemType, ...(dim && { shape: { dim } }) } } },
  });
  const int = (name: string, value: number) => ({ name, type: INT, i: BigInt(value) });
  const g = {
    name: `${y}.piece`,
    input: [tensor(half, FLOAT16)],
    output: [tensor(product, FLOAT, shape)],
    node: [
      { opType: 'Cast', name: wide, input: [half], output: [wide], attribute: [int('to', FLOAT)] },
      {
        opType: 'FusedMatMul',
        domain: 'com.microsoft',
        name: product,
        input: [x, wide],
        output: [product],
        attribute: [int('transB', 1), { name: 'alpha', type: NUMBER, f: alpha }],
      },
    ],
  };
  const attribute = [
    { name: 'body', type: GRAPH, g },
    int('num_scan_inputs', 1),
    { name: 'scan_output_axes', type: INTS, ints: [BigInt(axis)] },
  ];
  return { opType: 'Scan', name: `Scan.${y}`, input: [parts], output: [y], attribute };
}
