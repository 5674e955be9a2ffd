/**
 * A server that speaks the part of the Hugging Face Hub's API that is used: model info, paged file trees, `resolve` with redirects of LFS files
 * to another origin, ranges, ETags, error codes. It can misbehave on request, and keeps what it was asked.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

export interface Repo {
  /** By path. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Paths kept in LFS: weights by default. */
  readonly lfs?: (path: string) => boolean;
  readonly access?: 'public' | 'gated' | 'private';
}

export interface Misbehaviour {
  /** Ends the connection after so many bytes of the body, this many times. */
  drop: { readonly after: number; times: number } | null;
  /** Answers this before anything else, this many times. */
  status: { readonly code: number; readonly headers?: Record<string, string>; times: number } | null;
  /** Sends the file with its last byte changed. */
  corrupt: boolean;
  /** Sends all of a file, whatever range was asked for. */
  ignoreRanges: boolean;
  /** Bytes a second; 0 is all at once. */
  slow: number;
}

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly range: string | null;
  readonly authorization: string | null;
  readonly origin: 'hub' | 'cdn';
}

const PAGE = 3;
const BRANCHES: Readonly<Record<string, string>> = { main: '1'.repeat(40), 'refs/pr/1': '2'.repeat(40) };

const sha1 = (bytes: Uint8Array) => createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

export const COMMIT = BRANCHES.main as string;
export const TOKEN = 'hf_test';

export class TestHub {
  readonly asked: Asked[] = [];
  readonly misbehave: Misbehaviour = { drop: null, status: null, corrupt: false, ignoreRanges: false, slow: 0 };
  #hub: Server | null = null;
  #cdn: Server | null = null;

  /** @param place `https` has a certificate that nobody signed, for the host hub.test and this machine */
  constructor(
    readonly repos: Readonly<Record<string, Repo>>,
    private readonly place: { readonly host: string; readonly https: boolean } = { host: '127.0.0.1', https: false },
  ) {}

  async start(): Promise<void> {
    const { https } = this.place;
    this.#hub = await listen(https, (request, response) => this.#answer(request, response, 'hub'));
    this.#cdn = await listen(https, (request, response) => this.#answer(request, response, 'cdn'));
  }

  stop(): void {
    for (const server of [this.#hub, this.#cdn]) {
      server?.close();
      server?.closeAllConnections();
    }
  }

  get url(): string {
    return this.#origin(this.#hub);
  }

  #origin(server: Server | null): string {
    const { host, https } = this.place;
    return `${https ? 'https' : 'http'}://${host}:${portOf(server)}`;
  }

  /** Bytes of files that were asked for, by path. */
  downloads(path: string): readonly Asked[] {
    return this.asked.filter(({ method, url }) => method === 'GET' && url.includes(path));
  }

  #answer(request: IncomingMessage, response: ServerResponse, origin: Asked['origin']): void {
    const { method = 'GET', url = '/', headers } = request;
    this.asked.push({ method, url, origin, range: headers.range ?? null, authorization: headers.authorization ?? null });
    const { status } = this.misbehave;
    if (status && status.times > 0) {
      status.times--;
      response.writeHead(status.code, status.headers).end();
      return;
    }
    const name = decodeURIComponent(new URL(url, 'http://x').pathname);
    if (origin === 'cdn') this.#blob(request, response, name.slice(1));
    else this.#route(request, response, name, new URL(url, 'http://x').searchParams);
  }

  #route(request: IncomingMessage, response: ServerResponse, path: string, query: URLSearchParams): void {
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/((?:revision|tree)\/.*)$/.exec(path);
    const [, name = '', rest = ''] = api ?? /^\/([^/]+\/[^/]+)\/(resolve\/.*)$/.exec(path) ?? [];
    const repo = this.repos[name];
    const refused = this.#refuse(request, repo);
    if (refused) {
      response
        .writeHead(refused.status, { 'x-error-code': refused.code, 'content-type': 'application/json' })
        .end('{"error":"no"}');
      return;
    }
    const [action, revision, file] = split(rest);
    const commit = BRANCHES[revision] ?? (Object.values(BRANCHES).includes(revision) ? revision : null);
    if (commit === null) response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end();
    else if (action === 'revision') json(response, this.#info(name, repo as Repo, commit));
    else if (action === 'tree') this.#tree(response, name, repo as Repo, revision, Number(query.get('cursor') ?? 0));
    else this.#resolve(request, response, repo as Repo, commit, file);
  }

  #refuse({ headers }: IncomingMessage, repo: Repo | undefined): { status: number; code: string } | null {
    const authorised = headers.authorization === `Bearer ${TOKEN}`;
    if (headers.authorization !== undefined && !authorised) return { status: 401, code: '' };
    if (!repo || (repo.access === 'private' && !authorised)) return { status: authorised ? 404 : 401, code: 'RepoNotFound' };
    return repo.access === 'gated' && !authorised ? { status: 403, code: 'GatedRepo' } : null;
  }

  #info(name: string, repo: Repo, sha: string): unknown {
    const siblings = Object.keys(repo.files).map((rfilename) => ({ rfilename }));
    const access = { private: repo.access === 'private', gated: repo.access === 'gated' ? 'manual' : false };
    return {
      _id: 'x',
      id: name,
      modelId: name,
      sha,
      ...access,
      likes: 0,
      downloads: 0,
      lastModified: '2025-01-01T00:00:00.000Z',
      tags: [],
      siblings,
    };
  }

  #tree(response: ServerResponse, name: string, repo: Repo, revision: string, cursor: number): void {
    const entries = Object.entries(repo.files).map(([path, bytes]) => {
      const lfs = isLfs(repo, path) ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 130 } } : {};
      return { type: 'file', oid: sha1(bytes), size: bytes.length, path, ...lfs };
    });
    const page = entries.slice(cursor, cursor + PAGE);
    const more = cursor + PAGE < entries.length;
    const next = `${this.url}/api/models/${name}/tree/${revision}?recursive=true&expand=false&cursor=${cursor + PAGE}`;
    json(response, page, more ? { link: `<${next}>; rel="next"` } : {});
  }

  #resolve(request: IncomingMessage, response: ServerResponse, repo: Repo, commit: string, file: string): void {
    const bytes = repo.files[file];
    if (!bytes) {
      response.writeHead(404, { 'x-error-code': 'EntryNotFound', 'x-repo-commit': commit }).end();
      return;
    }
    const common = { 'x-repo-commit': commit, 'accept-ranges': 'bytes' };
    if (!isLfs(repo, file)) {
      this.#send(request, response, bytes, { ...common, etag: `"${sha1(bytes)}"` });
      return;
    }
    const location = `${this.#origin(this.#cdn)}/${sha256(bytes)}?name=${encodeURIComponent(file)}`;
    const linked = { 'x-linked-etag': `"${sha256(bytes)}"`, 'x-linked-size': String(bytes.length) };
    response.writeHead(302, { ...common, ...linked, location }).end();
  }

  #blob(request: IncomingMessage, response: ServerResponse, oid: string): void {
    const all = Object.values(this.repos).flatMap(({ files }) => Object.values(files));
    const bytes = all.find((each) => sha256(each) === oid);
    // A token that is sent to another host is a leak.
    if (!bytes || request.headers.authorization) response.writeHead(403).end();
    else this.#send(request, response, bytes, { etag: `"cdn-${oid.slice(0, 8)}"` });
  }

  #send(request: IncomingMessage, response: ServerResponse, whole: Uint8Array, headers: Record<string, string>): void {
    const { drop, corrupt, ignoreRanges, slow } = this.misbehave;
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const from = ignoreRanges ? 0 : Number(first ?? 0);
    const to = ignoreRanges || !last ? whole.length : Math.min(whole.length, Number(last) + 1);
    if (from > whole.length || (from === whole.length && first !== undefined && whole.length > 0)) {
      response.writeHead(416, { 'content-range': `bytes */${whole.length}` }).end();
      return;
    }
    const sent = corrupt ? whole.map((byte, i) => (i === whole.length - 1 ? byte ^ 1 : byte)) : whole;
    const body = sent.slice(from, to);
    const range = first !== undefined && !ignoreRanges ? { 'content-range': `bytes ${from}-${to - 1}/${whole.length}` } : {};
    response.writeHead(first !== undefined && !ignoreRanges ? 206 : 200, {
      ...headers,
      ...range,
      'content-length': String(body.length),
    });
    if (request.method === 'HEAD') response.end();
    else if (drop && drop.times > 0 && body.length > drop.after) {
      drop.times--;
      response.write(body.subarray(0, drop.after), () => response.destroy());
    } else if (slow > 0) void trickle(response, body, slow);
    else response.end(body);
  }
}

const portOf = (server: Server | null): number => (server?.address() as AddressInfo | undefined)?.port ?? 0;

const isLfs = ({ lfs = (path) => /\.(safetensors|gguf|bin|pth)$/.test(path) }: Repo, path: string): boolean => lfs(path);

/** `tree/refs/pr/1` → tree, refs/pr/1; `resolve/main/a/b.json` → resolve, main, a/b.json. */
function split(rest: string): [action: string, revision: string, file: string] {
  const [action = '', ...parts] = rest.split('/');
  const deep = parts.slice(0, 3).join('/');
  const revision = deep in BRANCHES ? deep : (parts[0] ?? '');
  return [action, revision, parts.slice(revision.split('/').length).join('/')];
}

function json(response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
}

async function trickle(response: ServerResponse, body: Uint8Array, bytesPerSecond: number): Promise<void> {
  const step = Math.max(1, Math.floor(bytesPerSecond / 20));
  for (let at = 0; at < body.length && !response.destroyed; at += step) {
    response.write(body.subarray(at, at + step));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  response.end();
}

const tls = path.resolve(import.meta.dirname, '../fixtures/tls');

/** Its certificate, for those who are to trust it. */
export const CERTIFICATE = path.join(tls, 'certificate.pem');

const listen = (https: boolean, answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> =>
  new Promise((resolve) => {
    const keys = () => ({ key: readFileSync(path.join(tls, 'key.pem')), cert: readFileSync(CERTIFICATE) });
    const server = https ? createSecureServer(keys(), answer) : createServer(answer);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
