import { fileURLToPath } from 'node:url';
import { TextDocumentSyncKind, TextDocuments } from 'vscode-languageserver/node';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { emitter, serve } from './connection.js';
import { tell } from './formats/told.js';
import { handlers } from './handlers.js';
import { hubEnvironment } from './hub/environment.js';
import { activeContext } from './lab/active.js';
import { Lab } from './lab/lab.js';
import { languageCapabilities, registerLanguage } from './language/register.js';
import { parseOptions } from './options.js';
import { endWithParent, parentConnection } from './process.js';
import { WorkerDevice } from './runtime/workerDevice.js';

/** The server process: one connection to the extension that forked it, models in a thread of their own. */
endWithParent();
const connection = parentConnection();
// A lab without its thread is of no use: it ends, and the extension starts it again with everything restored.
const device = new WorkerDevice(new URL('./worker.js', import.meta.url), (error) => {
  throw error;
});
const { options, refused } = parseOptions(process.argv.slice(2));
for (const [name, keys] of Object.entries(options.config)) tell(name, keys);
const emit = emitter(connection);
const lab = new Lab(device, options, emit);
const documents = new TextDocuments(TextDocument);
let followsFolders = false;

connection.onInitialize(({ workspaceFolders, capabilities }) => {
  lab.folders = paths(workspaceFolders ?? []);
  followsFolders = capabilities.workspace?.workspaceFolders === true;
  return {
    capabilities: {
      textDocumentSync: TextDocumentSyncKind.Incremental,
      workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
      ...languageCapabilities,
    },
  };
});
connection.onInitialized(() => {
  if (followsFolders) {
    connection.workspace.onDidChangeWorkspaceFolders(async () => {
      lab.folders = paths((await connection.workspace.getWorkspaceFolders()) ?? []);
    });
  }
  for (const error of refused) emit('notice', { level: 'warning', text: error.message, error: error.toData() });
  void lab.start();
});
connection.onShutdown(() => lab.dispose());
serve(connection, handlers(lab));
registerLanguage(connection, documents, {
  active: () => activeContext(lab),
  workspaceFolders: () => lab.folders,
  hubCache: () => hubEnvironment().cache,
});
documents.listen(connection);
connection.listen();

/** Those on this machine's file system. */
function paths(all: readonly { readonly uri: string }[]): string[] {
  return all.filter(({ uri }) => uri.startsWith('file:')).map(({ uri }) => fileURLToPath(uri));
}
