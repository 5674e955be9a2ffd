// Serves the editor with the .vsix installed on the sample workspace, until Ctrl-C. $PORT chooses the port.
import path from 'node:path';
import { root, sample, startCodeServer, workbenchUrl } from './codeServer.js';

const vsix = process.argv[2];
if (!vsix) throw new Error('serve.ts FILE.vsix');
const server = await startCodeServer({
  vsix: [vsix],
  dir: path.join(root, '.cache/start'),
  port: Number(process.env.PORT ?? 0),
  settings: { 'workbench.editorAssociations': { 'README.md': 'vscode.markdown.preview.editor' } },
});
console.log(`\nModel Lab is open at ${workbenchUrl(server, sample, path.join(sample, 'README.md'))}\nCtrl-C ends it.`);
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, async () => {
    if (stopping) return;
    stopping = true;
    await server.stop();
    process.exit(0);
  });
}
