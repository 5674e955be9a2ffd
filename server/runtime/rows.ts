/** Rows of fp32 that are appended to and read by range: residual checkpoints, carries. */
export class Rows {
  #data: Float32Array;
  #count = 0;

  constructor(readonly width: number) {
    this.#data = new Float32Array(0);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#data.byteLength;
  }

  append(values: Float32Array): void {
    const needed = this.#count * this.width + values.length;
    if (needed > this.#data.length) {
      // A prompt arrives at once and fits exactly; decoding grows by half.
      const grown = new Float32Array(this.#count === 0 ? needed : Math.max(needed, Math.ceil(this.#data.length * 1.5)));
      grown.set(this.#data.subarray(0, this.#count * this.width));
      this.#data = grown;
    }
    this.#data.set(values, this.#count * this.width);
    this.#count = needed / this.width;
  }

  /** A copy of rows from…to−1. */
  slice(from: number, to: number): Float32Array {
    return this.#data.slice(from * this.width, to * this.width);
  }
}
