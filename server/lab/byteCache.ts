import type { Tensor } from '../tensor/tensor.js';

/** Tensors by key, at most `limit` bytes of them: the least recently used go first. Nobody may write into one. */
export class ByteCache {
  readonly #entries = new Map<string, Tensor>();
  #bytes = 0;

  constructor(private readonly limit: number) {}

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Tensor | undefined {
    const tensor = this.#entries.get(key);
    if (tensor) {
      this.#entries.delete(key);
      this.#entries.set(key, tensor);
    }
    return tensor;
  }

  /** A tensor above the limit is not kept. */
  set(key: string, tensor: Tensor): void {
    this.delete(key);
    if (tensor.data.byteLength > this.limit) return;
    this.#entries.set(key, tensor);
    this.#bytes += tensor.data.byteLength;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.limit) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.data.byteLength ?? 0;
    this.#entries.delete(key);
  }

  deletePrefix(prefix: string): void {
    for (const key of [...this.#entries.keys()]) if (key.startsWith(prefix)) this.delete(key);
  }
}
