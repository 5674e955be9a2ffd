import type { MountedFile } from '../formats/mounts.js';
import type { HubClient, HubFile, HubModel } from './client.js';
import { tooMuchRead, unexpectedAnswer } from './errors.js';

/** Read at once at least: a request costs more than its bytes. */
const BLOCK = 1 << 16;
/** Of one file, to look at it without downloading it. */
const MOST = 256 << 20;

/** A file of the Hub, read by range; what was read once is kept. */
export class RemoteFile implements MountedFile {
  readonly bytes: number;
  #fetched = 0;
  #url: Promise<string> | null = null;
  readonly #blocks = new Map<number, Promise<Uint8Array>>();

  constructor(
    private readonly client: HubClient,
    private readonly model: HubModel,
    private readonly file: HubFile,
  ) {
    this.bytes = file.bytes;
  }

  /** Bytes that came over the network. */
  get fetched(): number {
    return this.#fetched;
  }

  async read(buffer: Uint8Array, offset: number): Promise<void> {
    const [first, last] = [Math.floor(offset / BLOCK), Math.floor((offset + buffer.length - 1) / BLOCK)];
    // One request for each run of blocks that are not here.
    for (let from = first; from <= last; from++) {
      if (this.#blocks.has(from)) continue;
      let to = from;
      while (to < last && !this.#blocks.has(to + 1)) to++;
      this.#fetch(from, to + 1);
      from = to;
    }
    for (let block = first; block <= last; block++) {
      const bytes = await (this.#blocks.get(block) as Promise<Uint8Array>);
      const start = block * BLOCK;
      const skip = Math.max(0, offset - start);
      buffer.set(bytes.subarray(skip, offset + buffer.length - start), start + skip - offset);
    }
  }

  #fetch(from: number, to: number): void {
    const range = this.#range(from * BLOCK, Math.min(to * BLOCK, this.bytes));
    for (let block = from; block < to; block++) {
      const start = (block - from) * BLOCK;
      const part = range.then((bytes) => bytes.subarray(start, start + BLOCK));
      this.#blocks.set(block, part);
      part.catch(() => this.#blocks.delete(block));
    }
  }

  async #range(from: number, to: number): Promise<Uint8Array> {
    if (this.#fetched + to - from > MOST) throw tooMuchRead(this.file.path, MOST);
    const known = this.#url !== null;
    try {
      return await this.#content(from, to);
    } catch (error) {
      this.#url = null;
      // signed addresses expire
      if (!known || this.client.signal.aborted) throw error;
      return this.#content(from, to);
    }
  }

  async #content(from: number, to: number): Promise<Uint8Array> {
    this.#url ??= this.client.locate(this.model.repo, this.model.commit, this.file.path).then(({ url }) => url);
    const url = await this.#url;
    const answer = await this.client.content(this.model.repo, url, from, to);
    const isWhole = answer.status === 200 && from === 0 && to === this.bytes;
    if (answer.status !== 206 && !isWhole) {
      await answer.body?.cancel();
      throw unexpectedAnswer(url, 'it sends no ranges');
    }
    const bytes = new Uint8Array(await answer.arrayBuffer());
    this.#fetched += bytes.length;
    if (bytes.length !== to - from) throw unexpectedAnswer(url, `${bytes.length} bytes instead of ${to - from}`);
    return bytes;
  }
}
