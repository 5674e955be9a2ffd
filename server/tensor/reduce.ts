/** Sums over vectors, in double precision whatever the vectors hold. */

type Vector = ArrayLike<number>;

/** Euclidean norm (Frobenius, of a matrix). */
export function norm(x: Vector): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] as number) ** 2;
  return Math.sqrt(sum);
}

export function mean(x: Vector): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] as number;
  return sum / x.length;
}

export function dot(x: Vector, y: Vector): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] as number) * (y[i] as number);
  return sum;
}

/** Entropy in bits of probabilities that sum to 1; zeros count nothing. */
export function entropyBits(probabilities: Vector): number {
  let sum = 0;
  for (let i = 0; i < probabilities.length; i++) {
    const p = probabilities[i] as number;
    if (p !== 0) sum -= p * Math.log2(p);
  }
  return sum;
}

/** log Σ exp(x), in nats, without overflow; −∞ when every x is. */
export function logSumExp(x: Vector): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < x.length; i++) if (!((x[i] as number) <= top)) top = x[i] as number;
  if (!Number.isFinite(top)) return top;
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += Math.exp((x[i] as number) - top);
  return top + Math.log(sum);
}
