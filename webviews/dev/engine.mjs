// The real server behind the development page: POST /lab asks it, GET /events streams what it says.
import { fork } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createProtocolConnection, InitializeRequest, IPCMessageReader, IPCMessageWriter } from 'vscode-languageserver/node';

const root = path.resolve(import.meta.dirname, '../..');

export async function startEngine() {
  const storage = mkdtempSync(path.join(tmpdir(), 'model-lab-dev-'));
  const args = [
    '--storage',
    storage,
    '--embedded',
    path.join(root, 'media/models'),
    '--node-ipc',
    `--clientProcessId=${process.pid}`,
  ];
  const child = fork(path.join(root, 'dist/server.js'), args, {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const connection = createProtocolConnection(new IPCMessageReader(child), new IPCMessageWriter(child));
  const listeners = new Set();
  connection.onNotification('lab/event', (fired) => {
    for (const listener of listeners) listener(encode(fired));
  });
  connection.listen();
  await connection.sendRequest(InitializeRequest.type, { processId: process.pid, rootUri: null, capabilities: {} });
  return {
    /** Answers /lab and /events; false for other addresses. */
    handle(request, response) {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      if (pathname === '/events') stream(response, listeners);
      else if (pathname === '/lab') void answer(connection, request, response);
      else return false;
      return true;
    },
    stop() {
      connection.dispose();
      child.disconnect();
    },
  };
}

function stream(response, listeners) {
  const tell = (fired) => response.write(`data: ${fired}\n\n`);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  listeners.add(tell);
  response.on('close', () => listeners.delete(tell));
}

async function answer(connection, request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const send = (status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(encode(body));
  try {
    send(200, await connection.sendRequest('lab/request', JSON.parse(Buffer.concat(chunks).toString())));
  } catch (error) {
    send(500, error.data ?? { code: 'INTERNAL', message: String(error), hint: '' });
  }
}

/** JSON in which typed arrays are their type and bytes. */
const encode = (value) =>
  JSON.stringify(value ?? null, (_, part) =>
    ArrayBuffer.isView(part)
      ? { typed: part.constructor.name, base64: Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('base64') }
      : part,
  );
