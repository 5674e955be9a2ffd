import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from '../protocol/errors.js';
import type { HubEnvironment } from './environment.js';
import { answerError, networkError, offline, unexpectedAnswer } from './errors.js';
import { fetchThrough } from './proxy.js';
import { isSafeFile } from './reference.js';

export interface HubFile {
  /** Relative to the repository, with `/` between names. */
  readonly path: string;
  readonly bytes: number;
  /** SHA-256 of files in LFS, else the SHA-1 that git gives them: also the name of its blob in the cache. */
  readonly etag: string;
}

export interface HubModel {
  readonly repo: string;
  /** As asked for. */
  readonly revision: string;
  readonly commit: string;
  readonly private: boolean;
  readonly gated: boolean;
  readonly files: readonly HubFile[];
}

/** What the Hub says of a file, and where its bytes are. */
export interface FileLocation {
  readonly url: string;
  readonly etag: string;
  readonly bytes: number;
  readonly commit: string;
}

const COMMIT = /^[0-9a-f]{40}$/;
/** A redirect of the Hub to itself: a model that was renamed. */
const HOPS = 5;
const RETRIES = 3;
const TIMEOUT_MS = 20_000;

export interface ClientOptions {
  readonly environment: HubEnvironment;
  readonly token: string | null;
  readonly signal: AbortSignal;
}

/** The Hub's API, with its errors as coded ones. The token goes to the Hub itself and to nobody that it redirects to. */
export class HubClient {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  /** Errors: HUB_NOT_FOUND, HUB_GATED, HUB_REVISION_NOT_FOUND, HUB_UNAUTHORIZED, HUB_RATE_LIMITED, HUB_OFFLINE … */
  async model(repo: string, revision: string): Promise<HubModel> {
    const { endpoint } = this.#options.environment;
    const { listFiles, modelInfo } = await import('./api.js');
    const fetch = this.#fetcher(repo);
    const info = await modelInfo({ name: repo, revision, hubUrl: endpoint, additionalFields: ['sha'], fetch });
    if (typeof info.sha !== 'string' || !COMMIT.test(info.sha)) throw unexpectedAnswer(endpoint, 'it names no commit');
    const files: HubFile[] = [];
    for await (const { type, path, size, oid, lfs } of listFiles({
      repo,
      revision: info.sha,
      recursive: true,
      hubUrl: endpoint,
      fetch,
    })) {
      const etag = lfs?.oid ?? oid;
      if (type !== 'file' || !isSafeFile(path) || etag === undefined) continue;
      files.push({ path, bytes: lfs?.size ?? size, etag });
    }
    return { repo: info.name, revision, commit: info.sha, private: info.private, gated: info.gated !== false, files };
  }

  /** Where a file is and what it is, without its content. */
  async locate(repo: string, commit: string, file: string): Promise<FileLocation> {
    const { endpoint } = this.#options.environment;
    let url = `${endpoint}/${repo}/resolve/${encodeURIComponent(commit)}/${file.split('/').map(encodeURIComponent).join('/')}`;
    for (let hop = 0; hop < HOPS; hop++) {
      const answer = await this.#request(url, repo, { method: 'HEAD', redirect: 'manual' });
      const location = answer.headers.get('location');
      const next = location === null ? null : new URL(location, url);
      const etag = answer.headers.get('x-linked-etag') ?? answer.headers.get('etag');
      if (next && etag === null && next.origin === new URL(endpoint).origin) {
        url = next.href;
        continue;
      }
      const bytes = Number(answer.headers.get('x-linked-size') ?? (next ? Number.NaN : answer.headers.get('content-length')));
      const found = answer.headers.get('x-repo-commit') ?? commit;
      if (etag === null || !Number.isSafeInteger(bytes)) throw unexpectedAnswer(url, 'no ETag or no size');
      return { url: next?.href ?? url, etag: etag.replace(/^W\//, '').replaceAll('"', ''), bytes, commit: found };
    }
    throw unexpectedAnswer(url, 'it redirects round in circles');
  }

  /** The bytes from `from` to the end, or to `to`; status 206, or 200 from a server that sends the whole. */
  content(repo: string, url: string, from: number, to: number | null = null): Promise<Response> {
    const headers = from === 0 && to === null ? {} : { range: `bytes=${from}-${to === null ? '' : to - 1}` };
    return this.#request(url, repo, { headers });
  }

  #fetcher(repo: string): typeof fetch {
    return (input, init) => this.#request(String(input), repo, init ?? {});
  }

  /** Tries again where the Hub asks for patience. */
  async #request(url: string, repo: string, init: RequestInit): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#once(url, init);
      const isRedirect = init.redirect === 'manual' && answer.status >= 300 && answer.status < 400;
      if (answer.ok || isRedirect || answer.status === 416) return answer;
      await answer.body?.cancel();
      const error = answerError(answer.status, answer.headers, repo, this.#options.token !== null);
      const wait = Number(answer.headers.get('retry-after') ?? 0.5 * attempt);
      const isPassing = answer.status === 429 || answer.status >= 500;
      if (!isPassing || attempt === RETRIES || !(wait <= 5)) throw error;
      await pause(wait * 1000, this.signal);
    }
  }

  async #once(url: string, init: RequestInit): Promise<Response> {
    const { environment, token, signal } = this.#options;
    if (environment.offline) throw offline('HF_HUB_OFFLINE is set');
    const { host, origin } = new URL(url);
    const isHub = origin === new URL(environment.endpoint).origin;
    const headers = new Headers(init.headers);
    headers.set('user-agent', 'model-lab');
    // What is compressed on the way has another length.
    headers.set('accept-encoding', 'identity');
    if (isHub && token !== null) headers.set('authorization', `Bearer ${token}`);
    const headersIn = new AbortController();
    const timer = setTimeout(() => headersIn.abort(new LabError(offline(`${host} does not answer`).toData())), TIMEOUT_MS);
    try {
      const request = { ...init, headers, signal: AbortSignal.any([signal, headersIn.signal]) };
      const proxy = environment.proxy(new URL(url));
      return await (proxy ? fetchThrough(proxy, url, request) : fetch(url, request));
    } catch (error) {
      throw networkError(error, host, signal);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Errors: CANCELLED. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch((error) => Promise.reject(networkError(error, '', signal)));
