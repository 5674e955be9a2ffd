import { symmetricEigen } from './spectrum.js';

/** Singular values of a matrix [m, n] and, when asked for, its directions: A = Σ σᵢ uᵢ vᵢᵀ. */
export interface Svd {
  /** Descending. All min(m, n) of them, or the largest `k`. */
  readonly sigma: Float64Array;
  /** [k, m] and [k, n], a direction a row; null unless asked for. */
  readonly u: Float64Array | null;
  readonly v: Float64Array | null;
  /** ‖A‖², the sum of all σ². */
  readonly energy: number;
  /** Every direction is there. Otherwise the largest were found from a random sample of the column space. */
  readonly complete: boolean;
}

export interface SvdOptions {
  readonly directions: boolean;
  /** Shorter side up to which all singular values are computed; `top` of them beyond. */
  readonly limit: number;
  readonly top: number;
}

type Steps<R> = Generator<number, R>;

/**
 * By the eigenvalues of the Gram matrix of the shorter side, in double precision: σ is exact to 10⁻⁸ of the largest one, beyond what fp32
 * weights hold. Above `limit`: randomised range finding with two power iterations (Halko, Martinsson & Tropp 2011, Alg. 4.4), whose error in
 * σᵢ is of the order of the first value left out. Yields the share that is done. NaN throughout when a value is not finite.
 */
export function* svd(a: Float32Array, m: number, n: number, options: SvdOptions): Steps<Svd> {
  const energy = energyOf(a);
  if (Math.min(m, n) <= options.limit) return yield* decompose(a, m, n, energy, options.directions);
  const basis = yield* range(a, m, n, options.top + OVERSAMPLED); // Q: [k, m]
  const k = basis.length / m;
  const reduced = new Float32Array(yield* products(basis, k, m, transposed(a, m, n), n, 0.8)); // QᵀA: [k, n]
  const { sigma, u, v } = yield* decompose(reduced, k, n, energy, options.directions);
  return {
    sigma: sigma.slice(0, options.top),
    u: u && multiply(u, options.top, k, basis, m),
    v: v?.slice(0, options.top * n) ?? null,
    energy,
    complete: false,
  };
}

const OVERSAMPLED = 8;

function energyOf(a: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) ** 2;
  return sum;
}

/** Every direction of a matrix whose Gram matrix fits. */
function* decompose(a: Float32Array, m: number, n: number, energy: number, directions: boolean): Steps<Svd> {
  const wide = m <= n;
  const [short, long] = wide ? [m, n] : [n, m];
  const vectors = Float64Array.from(wide ? a : transposed(a, m, n)); // [short, long]
  const gram = yield* products(vectors, short, long, vectors, short, 0.5);
  const { values, vectors: own } = yield* symmetricEigen(gram, short, directions);
  const order = [...values.keys()].sort((i, j) => (values[j] as number) - (values[i] as number));
  const sigma = Float64Array.from(order, (i) => Math.sqrt(Math.max(values[i] as number, 0)));
  if (!own) return { sigma, u: null, v: null, energy, complete: true };
  const shortSide = new Float64Array(short * short);
  for (const [at, i] of order.entries()) shortSide.set(own.subarray(i * short, (i + 1) * short), at * short);
  const longSide = multiply(shortSide, short, short, vectors, long);
  for (let i = 0; i < short; i++) {
    const length = sigma[i] as number;
    for (let j = i * long; j < (i + 1) * long; j++) longSide[j] = length === 0 ? 0 : (longSide[j] as number) / length;
  }
  return { sigma, u: wide ? shortSide : longSide, v: wide ? longSide : shortSide, energy, complete: true };
}

/** An orthonormal basis [k, m] of what A does to random vectors, sharpened by two turns of A Aᵀ. */
function* range(a: Float32Array, m: number, n: number, k: number): Steps<Float64Array> {
  const across = transposed(a, m, n);
  let state = 0x2545f491;
  const random = () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 31 - 1;
  };
  const start = Float64Array.from({ length: k * n }, random);
  let basis = orthonormal(yield* products(start, k, n, a, m, 0.2), k, m);
  for (let turn = 0; turn < 2; turn++) {
    const back = orthonormal(yield* products(basis, k, m, across, n, 0.3 + 0.2 * turn), k, n);
    basis = orthonormal(yield* products(back, k, n, a, m, 0.4 + 0.2 * turn), k, m);
  }
  return basis;
}

/** x yᵀ of rows: [p, length] by [q, length] → [p, q], four rows at a time. */
function* products(x: Vector, p: number, length: number, y: Vector, q: number, share: number): Steps<Float64Array> {
  const out = new Float64Array(p * q);
  for (let i = 0; i < p; i++) {
    const row = i * length;
    let j = 0;
    for (; j + 3 < q; j += 4) {
      const at = j * length;
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let e = 0; e < length; e++) {
        const value = x[row + e] as number;
        s0 += value * (y[at + e] as number);
        s1 += value * (y[at + length + e] as number);
        s2 += value * (y[at + 2 * length + e] as number);
        s3 += value * (y[at + 3 * length + e] as number);
      }
      out.set([s0, s1, s2, s3], i * q + j);
    }
    for (; j < q; j++) {
      let sum = 0;
      for (let e = 0; e < length; e++) sum += (x[row + e] as number) * (y[j * length + e] as number);
      out[i * q + j] = sum;
    }
    yield share * (i / p);
  }
  return out;
}

type Vector = Float32Array | Float64Array;

/** [p, k] · [k, n] → [p, n]. */
function multiply(x: Vector, p: number, k: number, y: Vector, n: number): Float64Array {
  const out = new Float64Array(p * n);
  for (let i = 0; i < p; i++)
    for (let l = 0; l < k; l++) {
      const factor = x[i * k + l] as number;
      if (factor === 0) continue;
      for (let j = 0, to = i * n, from = l * n; j < n; j++, to++, from++)
        out[to] = (out[to] as number) + factor * (y[from] as number);
    }
  return out;
}

/** Rows made orthogonal and of length 1 one after the other, twice over (Gram–Schmidt; twice is enough). */
function orthonormal(rows: Float64Array, k: number, length: number): Float64Array {
  for (let i = 0; i < k; i++)
    for (let pass = 0; pass < 2; pass++) {
      const row = rows.subarray(i * length, (i + 1) * length);
      for (let j = 0; j < i; j++) {
        const other = rows.subarray(j * length, (j + 1) * length);
        let dot = 0;
        for (let e = 0; e < length; e++) dot += (row[e] as number) * (other[e] as number);
        for (let e = 0; e < length; e++) row[e] = (row[e] as number) - dot * (other[e] as number);
      }
      const size = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
      for (let e = 0; e < length; e++) row[e] = size === 0 ? 0 : (row[e] as number) / size;
    }
  return rows;
}

/** [m, n] → [n, m]. */
export function transposed(a: Float32Array, m: number, n: number): Float32Array {
  const out = new Float32Array(m * n);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out[j * m + i] = a[i * n + j] as number;
  return out;
}
