import type { EditorDocument, FromHost } from '../../server/protocol/host.js';
import type { Live } from './live.js';

/** Lines that are in sight of an editor. */
const IN_SIGHT = 40;

/** A text where the editor would be: `&text=…`, or `&repeat=N` of it. */
export class DevDocument {
  #selection: readonly [number, number] = [0, 0];

  constructor(private readonly text: string) {}

  async open(live: Live): Promise<void> {
    const { text } = this;
    await live.ask('tokens/sync', { document: 'dev:text', version: 1, base: null, length: text.length, text, changes: [] });
    live.document = this;
    this.#tell();
  }

  select({ from, to }: { readonly from: number; readonly to: number }): void {
    this.#selection = [from, to];
    this.#tell();
  }

  #tell(): void {
    const inSight = this.text.split('\n').slice(0, IN_SIGHT).join('\n').length;
    const document: EditorDocument = {
      document: 'dev:text',
      name: 'prompt.txt',
      file: '/prompt.txt',
      version: 1,
      length: this.text.length,
      selection: this.#selection,
      visible: [0, inSight],
    };
    window.postMessage({ kind: 'document', document } satisfies FromHost, '*');
  }
}
