/** Rows of a block: prefill calls give one or two whole, so that long runs neither copy nor overallocate. */
const BLOCK = 256;

/** Rows of fp32 that are appended to and read by range: residual checkpoints, carries. Full blocks never change, so that two runs may share them. */
export class Rows {
  readonly #blocks: Float32Array[] = [];
  #count = 0;

  constructor(readonly width: number) {}

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#blocks.reduce((sum, block) => sum + block.byteLength, 0);
  }

  /** Whole blocks of `values` are kept as they are: nobody may write into them afterwards. */
  append(values: Float32Array): void {
    const size = BLOCK * this.width;
    for (let at = 0; at < values.length; ) {
      const filled = (this.#count % BLOCK) * this.width;
      if (filled === 0 && values.length - at >= size) {
        this.#blocks.push(values.subarray(at, at + size));
        this.#count += BLOCK;
        at += size;
        continue;
      }
      const part = values.subarray(at, Math.min(values.length, at + size - filled));
      this.#room(filled, filled + part.length).set(part, filled);
      this.#count += part.length / this.width;
      at += part.length;
    }
  }

  /** A copy of rows from…to−1. */
  slice(from: number, to: number): Float32Array {
    const out = new Float32Array(Math.max(0, to - from) * this.width);
    for (let row = from; row < to; ) {
      const start = row % BLOCK;
      const end = Math.min(BLOCK, start + to - row);
      const block = this.#blocks[Math.floor(row / BLOCK)] as Float32Array;
      out.set(block.subarray(start * this.width, end * this.width), (row - from) * this.width);
      row += end - start;
    }
    return out;
  }

  /** Begins with the first rows of another, whose full blocks it shares. */
  adopt(other: Rows, count: number): void {
    const full = Math.floor(count / BLOCK);
    this.clear();
    this.#blocks.push(...other.#blocks.slice(0, full));
    this.#count = full * BLOCK;
    this.append(other.slice(this.#count, count));
  }

  clear(): void {
    this.#blocks.length = 0;
    this.#count = 0;
  }

  /** The last block with room up to `needed` numbers, of which `filled` are there: it fits a prompt exactly and grows by half while decoding. */
  #room(filled: number, needed: number): Float32Array {
    if (filled === 0) this.#blocks.push(new Float32Array(needed));
    const last = this.#blocks.at(-1) as Float32Array;
    if (needed <= last.length) return last;
    const grown = new Float32Array(Math.min(BLOCK * this.width, Math.max(needed, Math.ceil(last.length * 1.5))));
    grown.set(last.subarray(0, filled));
    this.#blocks[this.#blocks.length - 1] = grown;
    return grown;
  }
}
