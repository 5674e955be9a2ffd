import { TextDocumentSyncKind } from 'vscode-languageserver/node';
import { emitter, serve } from './connection.js';
import { handlers } from './handlers.js';
import { Lab } from './lab/lab.js';
import { parseOptions } from './options.js';
import { endWithParent, parentConnection } from './process.js';
import { WorkerDevice } from './runtime/workerDevice.js';

/** The server process: one connection to the extension that forked it, models in a thread of their own. */
endWithParent();
const connection = parentConnection();
const device = new WorkerDevice(new URL('./worker.js', import.meta.url));
const lab = new Lab(device, parseOptions(process.argv.slice(2)), emitter(connection));

connection.onInitialize(() => ({ capabilities: { textDocumentSync: TextDocumentSyncKind.Incremental } }));
connection.onInitialized(() => void lab.start());
connection.onShutdown(() => lab.dispose());
serve(connection, handlers(lab));
connection.listen();
