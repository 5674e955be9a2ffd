import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import {
  type CodeLens,
  createConnection,
  createProtocolConnection,
  type Hover,
  type PublishDiagnosticsParams,
  StreamMessageReader,
  StreamMessageWriter,
  TextDocumentSyncKind,
  TextDocuments,
} from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { NOTHING_ACTIVE } from '../../server/language/context.js';
import { languageCapabilities, registerLanguage } from '../../server/language/register.js';

/** A language server and a client that speak over two pipes. */
function connect() {
  const [up, down] = [new PassThrough(), new PassThrough()];
  const server = createConnection(new StreamMessageReader(up), new StreamMessageWriter(down));
  const documents = new TextDocuments(TextDocument);
  server.onInitialize(() => ({ capabilities: { textDocumentSync: TextDocumentSyncKind.Incremental, ...languageCapabilities } }));
  registerLanguage(server, documents, {
    active: () => NOTHING_ACTIVE,
    workspaceFolders: () => [path.resolve('media')],
    hubCache: () => path.resolve('media/no-hub'),
  });
  documents.listen(server);
  server.listen();
  const client = createProtocolConnection(new StreamMessageReader(down), new StreamMessageWriter(up));
  client.listen();
  return client;
}

test('hover, lenses and diagnostics over the wire', async () => {
  const client = connect();
  const published: PublishDiagnosticsParams[] = [];
  let wake = () => {};
  client.onNotification('textDocument/publishDiagnostics', (params: PublishDiagnosticsParams) => {
    published.push(params);
    wake();
  });
  const next = () => new Promise<void>((resolve) => (wake = resolve));
  const { capabilities } = await client.sendRequest<{ capabilities: object }>('initialize', {
    processId: null,
    rootUri: null,
    capabilities: {},
  });
  assert.ok('hoverProvider' in capabilities && 'codeLensProvider' in capabilities);

  const code = 'file:///work/a.py';
  const text = 'm = AutoModel.from_pretrained("models/tiny-llama")\nm.q_proj';
  await client.sendNotification('textDocument/didOpen', { textDocument: { uri: code, languageId: 'python', version: 1, text } });
  const hover = await client.sendRequest<Hover>('textDocument/hover', {
    textDocument: { uri: code },
    position: { line: 1, character: 4 },
  });
  assert.match((hover.contents as { value: string }).value, /Query projection/);
  const lenses = await client.sendRequest<CodeLens[]>('textDocument/codeLens', { textDocument: { uri: code } });
  assert.deepEqual(
    lenses.map(({ command }) => command?.arguments),
    [[path.resolve('media/models/tiny-llama')], [path.resolve('media/models/tiny-llama')]],
  );

  const file = path.resolve('media/models/tiny-llama/config.json');
  const uri = pathToFileURL(file).href;
  const config = readFileSync(file, 'utf8');
  const diagnosed = next();
  await client.sendNotification('textDocument/didOpen', {
    textDocument: { uri, languageId: 'json', version: 1, text: config.replace(/"vocab_size": 3072/, '"vocab_size": 3000') },
  });
  await diagnosed;
  const found = published.at(-1)?.diagnostics ?? [];
  assert.deepEqual([...new Set(found.map(({ code }) => code))].sort(), [
    'shape-contradicts-weights',
    'vocab-smaller-than-tokenizer',
  ]);
  assert.ok(
    found.every(
      ({ source, severity, range }) =>
        source === 'Model Lab' && severity === 1 && range.end.character - range.start.character === 4,
    ),
  );

  const repaired = next();
  await client.sendNotification('textDocument/didChange', {
    textDocument: { uri, version: 2 },
    contentChanges: [{ text: config }],
  });
  await repaired;
  assert.deepEqual(published.at(-1)?.diagnostics, []);
  client.dispose();
});
