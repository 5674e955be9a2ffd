import type { Builder } from '../builder.js';
import type { Dim, Value } from '../ir.js';

/** Inputs of RWKV-7's recurrence, [B,T,H,E] each: receptance, logarithm of the decay, key, value, removal key κ̂ and what it takes, a ⊙ κ̂. */
export interface Wkv7 {
  readonly r: Value;
  readonly logW: Value;
  readonly k: Value;
  readonly v: Value;
  readonly kappa: Value;
  readonly taken: Value;
}

/** S_t = S_{t−1} diag(w) − (S_{t−1} κ̂) (a ⊙ κ̂)ᵀ + v kᵀ, y_t = S_t r, token by token; S is [B,H,E_value,E_key]. Returns y, the last S and, when asked, every S. */
export function wkv7Steps(g: Builder, past: Value, x: Wkv7, w: Value, every: boolean): Value[] {
  const { last, outputs } = g.scan(past, [x.r, w, x.k, x.v, x.taken, x.kappa], (b, S, inputs) => {
    const [r, w, k, v, taken, kappa] = inputs as [Value, Value, Value, Value, Value, Value]; // [B,H,E]
    const [row, column] = [(u: Value) => b.unsqueeze(u, -2), (u: Value) => b.unsqueeze(u, -1)];
    const removal = b.mul(b.matmul(S, column(kappa)), row(taken)); // [B,H,E,E]
    const next = b.add(b.sub(b.mul(S, row(w)), removal), b.mul(column(v), row(k)));
    const y = b.squeeze(b.matmul(next, column(r)), -1); // [B,H,E]
    return { state: next, outputs: every ? [y, next] : [y] };
  });
  return [outputs[0] as Value, last, ...outputs.slice(1)];
}

/** Tokens of a chunk: a decay is at least e^{−e^{−½}} = 0.545, so that the product over a chunk, 4·10⁻⁹, and its inverse are far from the ends of single precision. */
export const WKV7_CHUNK = 32;
const C = WKV7_CHUNK;

/** [C,C] of ones where `keep(row, column)`. */
const mask = (g: Builder, keep: (i: number, j: number) => boolean): Value =>
  g.constant(
    Float32Array.from({ length: C * C }, (_, n) => Number(keep(Math.floor(n / C), n % C))),
    [C, C],
  );

/**
 * The same by chunks of tokens as matrices (the WY form of products of rank-one changes; Yang et al. 2024, arXiv 2406.06484; for RWKV-7
 * arXiv 2503.14456, app. H). With P_t the product of the decays of a chunk up to t and S̃ = S diag(1/P):
 *   u_t = S̃_{t−1} (P_{t−1} ⊙ κ̂_t) is what is removed;  (I + L) U = K S₀ᵀ + M V,  L and M the products of later with earlier keys,
 * so that a chunk is S_C = A S₀ + G, and its outputs are linear in S₀ too. Only S₀ of each chunk is computed one after the other.
 */
export function wkv7Chunks(g: Builder, past: Value, x: Wkv7): Value[] {
  const [T, H, E] = x.r.shape.slice(1) as [Dim, number, number];
  const length = g.unsqueeze(g.size(x.r, 1), 0);
  const chunks = g.div(g.add(length, C - 1), C); // i64 [1]
  const padding = g.sub(g.mul(chunks, C), length);
  const split = (u: Value) => {
    const padded = g.padEnd(u, 1, padding, 'n·C');
    return g.transpose(g.op('Reshape', [padded, g.ints(0, -1, C, H, E)], ['B', 'n', C, H, E]), 0, 1, 3, 2, 4); // [B,n,H,C,E]
  };
  const [r, k, v, kappa, taken, logW] = [x.r, x.k, x.v, x.kappa, x.taken, x.logW].map(split) as [
    Value,
    Value,
    Value,
    Value,
    Value,
    Value,
  ];

  const total = g.matmul(
    mask(g, (i, j) => j <= i),
    logW,
  ); // log P_t
  const [P, inverse] = [g.exp(total), g.exp(g.neg(total))];
  const ask = g.mul(kappa, g.exp(g.sub(total, logW)));
  const read = g.mul(r, P);
  const [take, key] = [g.mul(taken, inverse), g.mul(k, inverse)];
  const strictly = mask(g, (i, j) => j < i);
  const upTo = mask(g, (i, j) => j <= i);
  const product = (a: Value, b: Value, keep: Value) => g.mul(g.matmul(a, b, { transB: true }), keep); // [B,n,H,C,C]

  const X = unitInverse(g, product(ask, take, strictly));
  const remove = g.matmul(X, ask); // U = remove · S₀ᵀ + removed: [B,n,H,C,E]
  const removed = g.matmul(g.matmul(X, product(ask, key, strictly)), v);
  const readTake = product(read, take, upTo);
  const fromState = g.sub(read, g.matmul(readTake, remove));
  const fromChunk = g.sub(g.matmul(product(read, key, upTo), v), g.matmul(readTake, removed));

  const end = g.slice(P, -2, -1, Number.MAX_SAFE_INTEGER, 1); // P_C: [B,n,H,1,E]
  const [taking, writing] = [g.turned(g.mul(take, end)), g.turned(g.mul(key, end))]; // [B,n,H,E,C]
  const kept = g.mul(g.turned(end), identity(g, E)); // diag(P_C): [B,n,H,E,E]
  const A = g.sub(kept, g.matmul(taking, remove));
  const G = g.sub(g.matmul(writing, v), g.matmul(taking, removed));
  const { last, outputs } = g.scan(g.turned(past), [A, G], (b, S, [a, change]) => ({
    state: b.add(b.matmul(a as Value, S), change as Value),
    outputs: [S],
  }));
  const y = g.add(g.matmul(fromState, outputs[0] as Value), fromChunk); // [B,n,H,C,E]
  const flat = g.op('Reshape', [g.transpose(y, 0, 1, 3, 2, 4), g.ints(0, -1, H, E)], ['B', 'n·C', H, E]);
  const tokens = g.op('Slice', [flat, g.ints(0), length, g.ints(1)], ['B', T, H, E]);
  return [tokens, g.turned(last)];
}

const identity = (g: Builder, size: number): Value =>
  g.constant(
    Float32Array.from({ length: size * size }, (_, n) => Number(Math.floor(n / size) === n % size)),
    [size, size],
  );

/** (I + L)⁻¹ of a strictly lower triangular L, by inverting blocks of 1, 2, 4 … on the diagonal: exact, and nothing grows on the way. */
function unitInverse(g: Builder, L: Value): Value {
  let X = identity(g, C);
  for (let size = 1; size < C; size *= 2) {
    const below = (i: number, j: number) =>
      Math.floor(i / (2 * size)) === Math.floor(j / (2 * size)) && Math.floor(i / size) > Math.floor(j / size);
    const part = g.mul(L, mask(g, below));
    X = size === 1 ? g.sub(X, part) : g.sub(X, g.matmul(g.matmul(X, part), X));
  }
  return X;
}
