import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { connect } from 'node:tls';
import { proxyInvalid, proxyRefused, proxyUnreachable } from './errors.js';

type Env = Readonly<Record<string, string | undefined>>;

/** Redirects that are followed. */
const HOPS = 5;

const read = (env: Env, name: string): string => env[name.toLowerCase()] || env[name] || '';

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** The proxy for an address, by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY as curl reads them; null for none, and for this machine. Errors: HUB_PROXY. */
export function proxyFor(url: URL, env: Env): URL | null {
  const said = read(env, url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY') || read(env, 'ALL_PROXY');
  if (said === '' || LOOPBACK.test(url.hostname) || isExempt(url, read(env, 'NO_PROXY'))) return null;
  const address = /^\w+:\/\//.test(said) ? said : `http://${said}`;
  const proxy = URL.canParse(address) ? new URL(address) : null;
  if (!proxy || !/^https?:$/.test(proxy.protocol)) throw proxyInvalid(proxy ? `${proxy.protocol}//` : 'it');
  return proxy;
}

/** Names count for what is below them too. */
function isExempt({ hostname, port, protocol }: URL, list: string): boolean {
  const at = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
  return list
    .split(/[\s,]+/)
    .filter((name) => name !== '')
    .map((name) => name.replace(/^\*?\./, ''))
    .some((name) => name === '*' || [hostname, at].some((host) => host === name || host.endsWith(`.${name}`)));
}

/**
 * `fetch` through an HTTP proxy, which Node's own can do in its latest versions only: an https address by a tunnel, so that the proxy sees the
 * host and nothing else. Errors: HUB_PROXY, and those of sockets and certificates as Node tells them.
 */
export async function fetchThrough(proxy: URL, address: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  for (let [url, hops] = [new URL(address), 0]; ; hops++) {
    const answer = await send(proxy, url, init, headers);
    const location = answer.headers.location;
    const status = answer.statusCode ?? 0;
    if (init.redirect === 'manual' || hops === HOPS || !location || status < 300 || status > 399) return toResponse(answer, init);
    answer.destroy();
    const next = new URL(location, url);
    if (next.origin !== url.origin) headers.delete('authorization');
    url = next;
  }
}

function send(proxy: URL, url: URL, { method = 'GET', signal }: RequestInit, given: Headers): Promise<IncomingMessage> {
  const headers: Record<string, string> = { ...Object.fromEntries(given), host: url.host };
  const options = { method, headers, signal: signal ?? undefined } satisfies RequestOptions;
  if (url.protocol === 'https:')
    return tunnel(proxy, url, signal ?? null).then((socket) =>
      answered(httpsRequest(url, { ...options, createConnection: () => connect({ socket, servername: url.hostname }) })),
    );
  return answered(
    toProxy(proxy, { ...options, agent: false, path: url.href, headers: { ...headers, ...authorization(proxy) } }),
  ).then(
    (answer) => {
      if (answer.statusCode === 407) throw refuse(proxy, answer);
      return answer;
    },
    (error) => Promise.reject(unreachable(proxy, error)),
  );
}

/** A connection to the host that the proxy only passes on. */
function tunnel(proxy: URL, url: URL, signal: AbortSignal | null): Promise<Socket> {
  const path = `${url.hostname}:${url.port || 443}`;
  const headers = { host: path, ...authorization(proxy) };
  const asked = toProxy(proxy, { method: 'CONNECT', path, headers, signal: signal ?? undefined, agent: false });
  return new Promise((resolve, reject) => {
    asked.once('connect', (answer: IncomingMessage, socket: Socket) => {
      if (answer.statusCode === 200) resolve(socket);
      else {
        socket.destroy();
        reject(refuse(proxy, answer));
      }
    });
    // a server that is no proxy answers as to any request
    asked.once('response', (answer) => reject(refuse(proxy, answer)));
    asked.once('error', (error) => reject(unreachable(proxy, error)));
    asked.end();
  });
}

const toProxy = (proxy: URL, options: RequestOptions) => {
  const { protocol, hostname, port } = proxy;
  const send = protocol === 'https:' ? httpsRequest : httpRequest;
  return send({ ...options, hostname, port: port || (protocol === 'https:' ? 443 : 80) });
};

const authorization = ({ username, password }: URL): Record<string, string> => {
  if (username === '') return {};
  const name = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(name).toString('base64')}` };
};

function refuse(proxy: URL, answer: IncomingMessage): Error {
  answer.destroy();
  return proxyRefused(proxy.host, answer.statusCode ?? 0);
}

const unreachable = (proxy: URL, error: Error): Error =>
  error.name === 'AbortError' ? error : proxyUnreachable(proxy.host, error);

function answered(asked: ReturnType<typeof httpRequest>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    asked.once('response', resolve);
    asked.once('error', reject);
    asked.end();
  });
}

function toResponse(answer: IncomingMessage, { method = 'GET' }: RequestInit): Response {
  const { statusCode = 0, statusMessage = '' } = answer;
  const headers = new Headers();
  for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2)
    headers.append(answer.rawHeaders[i] as string, answer.rawHeaders[i + 1] as string);
  const isEmpty = method === 'HEAD' || [204, 205, 304].includes(statusCode);
  if (isEmpty) answer.resume();
  const body = isEmpty ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>);
  return new Response(body, { status: statusCode, statusText: statusMessage, headers });
}
