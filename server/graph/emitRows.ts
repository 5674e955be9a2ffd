import type { Emitter } from './emit.js';
import type { RowPlace } from './weightPlace.js';

/** x²-mean below which a row counts as zero: far below what fp32 activations are. */
const TINY = 1e-30;

/** Names of what a product with whole numbers reads and gives. */
interface Names {
  readonly x: string;
  readonly w: string;
  readonly y: string;
}

/**
 * x Wᵀ for many tokens with W [N,K] in bytes. x is taken as two bytes, x ≈ hi · s + lo · s′, which keeps 15 bits of the largest number of a call;
 * rows are brought to one size before and back behind, so that no token costs another its digits. Each of the two products is one of integers.
 * `even`: the rows of x are of like size already.
 */
export function rowProduct(e: Emitter, { shape, turned, codes, rowScales }: RowPlace, { x, w, y }: Names, even: boolean): void {
  const [N, K] = (turned ? [shape[1], shape[0]] : shape) as [number, number];
  const matrix = e.root.once(`${w}.columns`, (name) =>
    e.root.emit('Transpose', [e.external(`${w}.codes`, 's8', [N, K], codes)], [name], { perm: [1, 0] }),
  );
  const scales = e.external(`${w}.scales`, 'f32', [N], rowScales);
  const like = even ? x : evened(e, x, K);
  const sum = even ? y : `${y}.even`;
  bytes(e, like);
  const part = (byte: string) => {
    const inputs = [`${like}.${byte}`, matrix, `${like}.${byte}.scale`, scales, `${like}.${byte}.zero`];
    e.emit('MatMulIntegerToFloat', inputs, [`${y}.${byte}`], {}, 'com.microsoft');
    return `${y}.${byte}`;
  };
  e.emit('Add', [part('hi'), part('lo')], [sum]);
  if (!even) e.emit('Div', [sum, `${like}.by`], [y]);
}

/** x / √(mean x²), and by what its rows were multiplied. */
const evened = (e: Emitter, x: string, K: number): string =>
  e.once(`${x}.evened`, (name) => {
    const ones = e.floats(`ones.${K}`, new Float32Array(K).fill(1));
    e.emit('SimplifiedLayerNormalization', [x, ones], [name, `${name}.by`], { axis: -1, epsilon: TINY });
  });

/** x in two bytes: NAME.hi and what that leaves, NAME.lo, each with `.scale` and `.zero`. */
function bytes(e: Emitter, x: string): void {
  e.once(`${x}.bytes`, () => {
    const byte = (of: string, name: string) => e.emit('DynamicQuantizeLinear', [of], [name, `${name}.scale`, `${name}.zero`]);
    byte(x, `${x}.hi`);
    e.emit('DequantizeLinear', [`${x}.hi`, `${x}.hi.scale`, `${x}.hi.zero`], [`${x}.hi.value`]);
    e.emit('Sub', [x, `${x}.hi.value`], [`${x}.rest`]);
    byte(`${x}.rest`, `${x}.lo`);
  });
}
