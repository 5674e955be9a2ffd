/** An HTTP proxy for tests: every host of the world is this machine. It keeps what it passed on. */
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

export class TestProxy {
  /** Of tunnels the host and port, else whole addresses. */
  readonly passed: string[] = [];
  /** `user:password` that it wants. */
  credentials: string | null = null;
  readonly #sockets = new Set<{ destroy(): void }>();
  #server: Server | null = null;

  async start(): Promise<void> {
    const server = createServer((asked, answer) => {
      if (this.#refuses(asked)) {
        answer.writeHead(407, { 'proxy-authenticate': 'Basic' }).end();
        return;
      }
      const { port, pathname, search, host } = new URL(asked.url ?? '');
      this.passed.push(asked.url ?? '');
      const headers = { ...asked.headers, host };
      const onward = request(
        { host: '127.0.0.1', port, path: pathname + search, method: asked.method, headers, agent: false },
        (from) => {
          answer.writeHead(from.statusCode ?? 0, from.headers);
          from.pipe(answer);
        },
      );
      asked.pipe(onward);
    });
    server.on('connect', (asked: IncomingMessage, socket) => {
      this.#sockets.add(socket);
      if (this.#refuses(asked)) {
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
        return;
      }
      this.passed.push(asked.url ?? '');
      const onward = connect(Number(asked.url?.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      this.#sockets.add(onward);
      for (const end of [socket, onward]) end.on('error', () => end.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#server = server;
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  /** @param credentials to go before the host */
  url(credentials = ''): string {
    return `http://${credentials && `${credentials}@`}127.0.0.1:${(this.#server?.address() as AddressInfo | undefined)?.port}`;
  }

  #refuses({ headers }: IncomingMessage): boolean {
    const wanted = `Basic ${Buffer.from(this.credentials ?? '').toString('base64')}`;
    return this.credentials !== null && headers['proxy-authorization'] !== wanted;
  }
}
