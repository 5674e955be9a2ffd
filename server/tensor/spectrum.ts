/**
 * Eigenvalues and eigenvectors of symmetric matrices, for effective ranks and singular values. Golub & Van Loan, Matrix Computations, 4th ed.: Alg. 8.3.1
 * (Householder tridiagonalisation) and the implicit QL method of §8.3.5 with Wilkinson's shift.
 */

/** Iterations QL may need for one eigenvalue; two or three are usual. */
const MOST_ITERATIONS = 60;

/** Gram matrix of the shorter side of `values` [rows, cols]: its eigenvalues are the squared singular values. */
export function gram(
  values: ArrayLike<number>,
  rows: number,
  cols: number,
): { readonly matrix: Float64Array; readonly n: number } {
  const wide = rows <= cols;
  const n = wide ? rows : cols;
  const length = wide ? cols : rows;
  // vectors[i · length + j]: the i-th of n vectors, contiguous
  const vectors = new Float64Array(n * length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < cols; c++) vectors[wide ? r * length + c : c * length + r] = values[r * cols + c] as number;
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let e = 0; e < length; e++) sum += (vectors[i * length + e] as number) * (vectors[j * length + e] as number);
      matrix[i * n + j] = sum;
      matrix[j * n + i] = sum;
    }
  return { matrix, n };
}

/** Eigenvalues of a symmetric matrix [n, n] in no order; the matrix is destroyed. NaN throughout when an entry is not finite. */
export const symmetricEigenvalues = (matrix: Float64Array, n: number): Float64Array =>
  finish(symmetricEigen(matrix, n, false)).values;

export interface Eigen {
  /** [n], in no order. */
  readonly values: Float64Array;
  /** [n, n]: row i belongs to value i, of length 1. Null unless asked for. */
  readonly vectors: Float64Array | null;
}

/** The work behind it in small steps, for callers who let others in between them; yields the share that is done. */
export function* symmetricEigen(matrix: Float64Array, n: number, vectors: boolean): Generator<number, Eigen> {
  if (!matrix.every(Number.isFinite))
    return { values: new Float64Array(n).fill(Number.NaN), vectors: vectors ? new Float64Array(n * n).fill(Number.NaN) : null };
  const reflections: Reflection[] = [];
  const { diagonal, below } = yield* tridiagonalise(matrix, n, vectors ? reflections : null);
  const rows = vectors ? yield* undo(reflections, n) : null;
  for (let first = 0; first < n; first++) {
    deflate(diagonal, below, first, rows);
    yield 0.7 + (0.3 * first) / n;
  }
  return { values: diagonal, vectors: rows };
}

/** Runs steps to their end at once. */
export function finish<R>(steps: Generator<number, R>): R {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** I − v vᵀ/β; v is 0 before `first`. */
interface Reflection {
  readonly v: Float64Array;
  readonly beta: number;
  readonly first: number;
}

/** The product of the reflections, transposed: [n, n]. */
function* undo(reflections: readonly Reflection[], n: number): Generator<number, Float64Array> {
  const rows = new Float64Array(n * n);
  for (let i = 0; i < n; i++) rows[i * n + i] = 1;
  for (const [count, { v, beta, first }] of reflections.toReversed().entries()) {
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = first; j < n; j++) sum += (rows[i * n + j] as number) * (v[j] as number);
      if (sum === 0) continue;
      sum /= beta;
      for (let j = first; j < n; j++) rows[i * n + j] = (rows[i * n + j] as number) - sum * (v[j] as number);
    }
    yield 0.4 + (0.3 * count) / n;
  }
  return rows;
}

function* tridiagonalise(
  a: Float64Array,
  n: number,
  reflections: Reflection[] | null,
): Generator<number, { diagonal: Float64Array; below: Float64Array }> {
  const below = new Float64Array(n);
  const v = new Float64Array(n);
  const p = new Float64Array(n);
  for (let k = 0; k < n - 2; k++) {
    yield (0.4 * k) / n;
    let square = 0;
    for (let i = k + 1; i < n; i++) square += (a[i * n + k] as number) ** 2;
    const head = a[(k + 1) * n + k] as number;
    const alpha = head > 0 ? -Math.sqrt(square) : Math.sqrt(square);
    below[k] = alpha;
    const beta = square - alpha * head; // vᵀv / 2
    if (beta === 0) continue;
    for (let i = k + 1; i < n; i++) v[i] = a[i * n + k] as number;
    v[k + 1] = head - alpha;
    reflections?.push({ v: v.slice().fill(0, 0, k + 1), beta, first: k + 1 });
    reflect(a, n, k + 1, v, p, beta);
  }
  if (n > 1) below[n - 2] = a[(n - 1) * n + n - 2] as number;
  return { diagonal: Float64Array.from({ length: n }, (_, i) => a[i * n + i] as number), below };
}

/** A ← (I − vvᵀ/β) A (I − vvᵀ/β) on rows and columns from `first` on; only the lower triangle is read and written. */
function reflect(a: Float64Array, n: number, first: number, v: Float64Array, p: Float64Array, beta: number): void {
  p.fill(0, first);
  for (let i = first; i < n; i++) {
    const vi = v[i] as number;
    let sum = 0;
    for (let j = first, at = i * n + first; j < i; j++, at++) {
      const value = a[at] as number;
      sum += value * (v[j] as number);
      p[j] = (p[j] as number) + value * vi;
    }
    p[i] = (p[i] as number) + sum + (a[i * n + i] as number) * vi;
  }
  let dot = 0;
  for (let i = first; i < n; i++) dot += (p[i] as number) * (v[i] as number);
  const half = dot / (2 * beta * beta);
  for (let i = first; i < n; i++) p[i] = (p[i] as number) / beta - half * (v[i] as number);
  for (let i = first; i < n; i++) {
    const [vi, pi] = [v[i] as number, p[i] as number];
    for (let j = first, at = i * n + first; j <= i; j++, at++)
      a[at] = (a[at] as number) - vi * (p[j] as number) - pi * (v[j] as number);
  }
}

/** Implicit QL sweeps until the entry below diagonal[first] vanishes. */
function deflate(d: Float64Array, e: Float64Array, first: number, rows: Float64Array | null): void {
  for (let iteration = 0; iteration < MOST_ITERATIONS; iteration++) {
    const last = blockEnd(d, e, first);
    if (last === first) return;
    const [a, b] = [d[first] as number, e[first] as number];
    const half = ((d[first + 1] as number) - a) / (2 * b);
    const shift = a - b / (half + Math.sign(half || 1) * Math.hypot(half, 1));
    sweep(d, e, first, last, (d[last] as number) - shift, rows);
  }
}

/** The last index of the unreduced block that begins at `first`. */
function blockEnd(d: Float64Array, e: Float64Array, first: number): number {
  for (let m = first; m < d.length - 1; m++) {
    const scale = Math.abs(d[m] as number) + Math.abs(d[m + 1] as number);
    if (Math.abs(e[m] as number) <= Number.EPSILON * scale || Math.abs(e[m] as number) < Number.MIN_VALUE / Number.EPSILON)
      return m;
  }
  return d.length - 1;
}

/** One QL sweep of Givens rotations that chases the bulge from `last` up to `first`; the vectors turn along. */
function sweep(d: Float64Array, e: Float64Array, first: number, last: number, start: number, rows: Float64Array | null): void {
  let [g, sine, cosine, carried] = [start, 1, 1, 0];
  for (let i = last - 1; i >= first; i--) {
    const f = sine * (e[i] as number);
    const b = cosine * (e[i] as number);
    const r = Math.sqrt(f * f + g * g); // Math.hypot is ten times slower
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1] = (d[i + 1] as number) - carried;
      e[last] = 0;
      return;
    }
    sine = f / r;
    cosine = g / r;
    g = (d[i + 1] as number) - carried;
    const t = ((d[i] as number) - g) * sine + 2 * cosine * b;
    carried = sine * t;
    d[i + 1] = g + carried;
    g = cosine * t - b;
    if (rows) turn(rows, d.length, i, sine, cosine);
  }
  d[first] = (d[first] as number) - carried;
  e[first] = g;
  e[last] = 0;
}

/** Rows i and i + 1, turned by an angle. */
function turn(rows: Float64Array, n: number, i: number, sine: number, cosine: number): void {
  for (let at = i * n, end = at + n; at < end; at++) {
    const x = rows[at] as number; // not as a pair: this is the innermost loop
    const y = rows[at + n] as number;
    rows[at + n] = sine * x + cosine * y;
    rows[at] = cosine * x - sine * y;
  }
}

/**
 * exp(entropy of σ² / Σσ²) of a matrix [rows, cols] (Roy & Vetterli 2007, on energies): 1 for one direction, min(rows, cols) for
 * equal ones. 0 for the zero matrix, NaN when a value is not finite.
 */
export function effectiveRank(values: ArrayLike<number>, rows: number, cols: number): number {
  const { matrix, n } = gram(values, rows, cols);
  return rankOf(symmetricEigenvalues(matrix, n).map((value) => Math.max(value, 0)));
}

/** exp(entropy of the shares) of squared singular values. */
export function rankOf(energies: Float64Array): number {
  const total = energies.reduce((sum, value) => sum + value, 0);
  if (total === 0) return 0;
  let entropy = 0;
  for (const energy of energies) if (energy !== 0) entropy -= (energy / total) * Math.log(energy / total);
  return Math.exp(entropy);
}
