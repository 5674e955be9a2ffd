import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { nodePeers, nodePeerVersion, peersPython, type pythonPeers } from './peers.mjs';

export type Library = keyof typeof pythonPeers | keyof typeof nodePeers;

/** What a peer measured of itself; ms, bytes, and the first 64 logits of the last token, or what was asked for instead. */
export interface PeerSample {
  readonly wall: number;
  readonly cpu: number;
  readonly rss: number;
  readonly logits: readonly number[];
}

type Answer = PeerSample & { readonly error?: string; readonly versions?: Readonly<Record<string, string>> };

const environment = { HF_HUB_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error', TOKENIZERS_PARALLELISM: 'false' };

/** What runs a library, where that is installed. */
function runnerOf(library: Library): readonly [executable: string, script: string] | null {
  if (library in nodePeers) return nodePeerVersion(library) === null ? null : [process.execPath, 'peer.mjs'];
  return existsSync(peersPython) ? [peersPython, 'peer.py'] : null;
}

/** A library in a process of its own that is kept running between measurements. */
export class Peer {
  versions: Readonly<Record<string, string>> = {};

  private constructor(
    readonly library: Library,
    private readonly child: ChildProcess & { readonly stdin: Writable; readonly stdout: Readable },
    private readonly lines: Interface,
    private readonly answers: AsyncIterator<string>,
  ) {}

  /** The library with this model loaded, or why it cannot take part. `options` are the library's own, `variables` those of its environment. */
  static async start(
    library: Library,
    folder: string,
    threads: number,
    options: object = {},
    variables: Readonly<Record<string, string>> = {},
  ): Promise<Peer | string> {
    const runner = runnerOf(library);
    if (!runner) return `${library}: not installed (node test/bench/peers.mjs installs the peers)`;
    const child = spawn(runner[0], [path.resolve(import.meta.dirname, '..', runner[1])], {
      stdio: ['pipe', 'pipe', 'ignore'],
      // as people start it: the pages of run.mjs are those that our server asks for
      env: { ...process.env, GLIBC_TUNABLES: '', ...environment, ...variables },
    });
    const lines = createInterface(child.stdout);
    const peer = new Peer(library, child, lines, lines[Symbol.asyncIterator]());
    try {
      peer.versions = (await peer.#ask({ do: 'load', library, folder, threads, ...options })).versions ?? {};
      return peer;
    } catch (error) {
      peer.close();
      return error instanceof Error ? error.message : String(error);
    }
  }

  ask(what: 'prefill' | 'context' | 'decode' | 'run_with_cache' | 'ablate', ids: readonly number[]): Promise<PeerSample> {
    return this.#ask({ do: what, ids });
  }

  async #ask(request: object): Promise<Answer> {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.answers.next();
    if (done) throw new Error(`${this.library}: its process ended`);
    const answer = JSON.parse(value) as Answer;
    if (answer.error) throw new Error(`${this.library}: ${answer.error}`);
    return answer;
  }

  close(): void {
    this.lines.close();
    this.child.stdin.end();
  }
}
