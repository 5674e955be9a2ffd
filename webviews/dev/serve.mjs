// The views in a browser, without an editor: `node webviews/dev/serve.mjs [port] [--live]`, then open the printed address with e.g.
// ?view=attention&theme=light&tokens=1000. See page.ts for what can be asked.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { build } from 'esbuild';
import { startEngine } from './engine.mjs';

const root = path.resolve(import.meta.dirname, '../..');
const out = path.join(root, '.cache/dev-webviews');
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.ttf': 'font/ttf' };

/** Bundles the page and the views that exist now. */
export async function bundle() {
  mkdirSync(out, { recursive: true });
  for (const name of ['codicon.css', 'codicon.ttf'])
    copyFileSync(path.join(root, 'node_modules/@vscode/codicons/dist', name), path.join(out, name));
  const views = readdirSync(path.join(root, 'webviews/views')).filter((name) => name.endsWith('.tsx'));
  // Views link their style sheet themselves in the editor's page; here the development page does it for each.
  const html = readFileSync(path.join(root, 'webviews/dev/index.html'), 'utf8');
  writeFileSync(path.join(out, 'index.html'), html);
  await build({
    absWorkingDir: root,
    entryPoints: ['webviews/dev/page.ts', ...views.map((name) => `webviews/views/${name}`)],
    entryNames: '[name]',
    outdir: out,
    bundle: true,
    splitting: true,
    format: 'esm',
    target: 'chrome128',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    sourcemap: 'inline',
    logLevel: 'warning',
  });
}

/** `live`: the numbers come from dist/server.js instead of being invented. */
export async function serve(port = 0, live = false) {
  await bundle();
  const engine = live ? await startEngine() : null;
  const server = createServer((request, response) => {
    if (engine?.handle(request, response)) return;
    const name = new URL(request.url ?? '/', 'http://localhost').pathname.slice(1) || 'index.html';
    const file = path.join(out, path.normalize(`/${name}`));
    try {
      const body = readFileSync(file);
      response.writeHead(200, { 'content-type': types[path.extname(file)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(undefined)));
  server.on('close', () => engine?.stop());
  return server;
}

if (process.argv[1] === import.meta.filename) {
  const live = process.argv.includes('--live');
  const server = await serve(Number(process.argv.slice(2).find((argument) => /^\d+$/.test(argument)) ?? 8123), live);
  console.log(`http://127.0.0.1:${server.address().port}/?view=prompt${live ? '&live' : ''}`);
}
