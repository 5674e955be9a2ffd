import type { Tokenizer } from './tokenizer.js';

/**
 * Turns ids into text one by one. `push` returns only what later tokens cannot change: bytes of an unfinished character wait
 * for the rest of it. A leading space is kept, since what is streamed continues a prompt.
 */
export class StreamDecoder {
  readonly #tokenizer: Pick<Tokenizer, 'bytes'>;
  // ignoreBOM keeps U+FEFF, which is text like any other here.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(tokenizer: Pick<Tokenizer, 'bytes'>) {
    this.#tokenizer = tokenizer;
  }

  push(id: number): string {
    return this.#decoder.decode(this.#tokenizer.bytes(id), { stream: true });
  }

  /** What is left at the end: '�' for an unfinished character. */
  flush(): string {
    return this.#decoder.decode();
  }
}
