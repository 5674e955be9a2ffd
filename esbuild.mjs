// Builds dist/: `node esbuild.mjs [--production] [--watch] [--tests]`.
//   extension.cjs client.cjs     run in VS Code's extension host; the LSP client is loaded when the server first starts
//   server.js worker.js cli.js   run in Node ≥ 20; onnxruntime-node stays in node_modules
//   webviews/*.js *.css          one entry a file in webviews/views
// --tests also bundles the extension-host tests, into .cache/host-tests.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, context } from 'esbuild';

const root = import.meta.dirname;
const flag = (name) => process.argv.includes(`--${name}`);
const production = flag('production');

/** @type {import('esbuild').BuildOptions} */
const shared = {
  absWorkingDir: root,
  bundle: true,
  metafile: true,
  logLevel: 'warning',
  minify: production,
  sourcemap: production ? false : 'linked',
  define: { 'process.env.NODE_ENV': JSON.stringify(production ? 'production' : 'development') },
};

/** Leaves a module that is imported when it is needed in a file of its own: CommonJS has no chunks. */
function apart(module, file) {
  return {
    name: 'apart',
    setup: ({ onResolve }) =>
      onResolve({ filter: /^\./ }, ({ path: asked, kind }) =>
        asked === module && kind === 'dynamic-import' ? { path: file, external: true } : undefined,
      ),
  };
}

/** @type {import('esbuild').BuildOptions} */
export const extension = {
  ...shared,
  entryPoints: { extension: 'extension/extension.ts', client: 'extension/client.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  external: ['vscode'],
  plugins: [apart('./client.js', './client.cjs')],
  // The editor gives `vscode` to what is required.
  supported: { 'dynamic-import': false },
};

/** @type {import('esbuild').BuildOptions} */
const server = {
  ...shared,
  entryPoints: { server: 'server/main.ts', worker: 'server/runtime/worker.ts', cli: 'server/cli.ts' },
  outdir: 'dist',
  // Chunks lie beside the entries, so that `new URL('./worker.js', import.meta.url)` holds in all of them.
  splitting: true,
  chunkNames: 'server-[hash]',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  external: ['onnxruntime-node'],
  // Its main file is UMD, whose inner requires a bundler does not see.
  alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
  // Bundled CommonJS packages still call require for Node's own modules.
  banner: { js: "import { createRequire as requireFor } from 'node:module';\nconst require = requireFor(import.meta.url);" },
};

/** @type {import('esbuild').BuildOptions} */
export const webviews = {
  ...shared,
  entryPoints: Object.fromEntries(
    readdirSync(path.join(root, 'webviews/views'))
      .filter((name) => name.endsWith('.tsx'))
      .map((name) => [path.parse(name).name, `webviews/views/${name}`]),
  ),
  outdir: 'dist/webviews',
  splitting: true,
  chunkNames: 'chunk-[hash]',
  platform: 'browser',
  format: 'esm',
  target: 'chrome128',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  minify: true,
};

/** @type {import('esbuild').BuildOptions} */
const hostTests = {
  ...shared,
  entryPoints: readdirSync(path.join(root, 'test/editor/host')).map((name) => `test/editor/host/${name}`),
  outdir: '.cache/host-tests',
  outExtension: { '.js': '.cjs' },
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  minify: false,
  sourcemap: 'inline',
  external: ['vscode', 'mocha'],
};

/** Size of each output that is shipped, with what it weighs compressed. */
function printSizes() {
  const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(11);
  for (const folder of ['dist', 'dist/webviews']) {
    for (const name of readdirSync(path.join(root, folder)).filter((name) => /\.(c?js|css|ttf)$/.test(name))) {
      const bytes = readFileSync(path.join(root, folder, name));
      console.log(`${kB(bytes.length)} ${kB(gzipSync(bytes).length)} gzip  ${folder}/${name}`);
    }
  }
}

/** The licences of everything bundled, as they ask for. */
function writeNotices(results) {
  const inputs = results.flatMap((result) => Object.keys(result.metafile.inputs));
  const packages = new Set(inputs.flatMap((input) => input.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0] ?? []));
  const notices = [...packages].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(path.join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(path.join(root, folder, file), 'utf8').trim() : `Licence: ${license}`;
    return `${name} ${version}\n\n${text}\n`;
  });
  writeFileSync(path.join(root, 'dist/THIRD_PARTY_NOTICES.txt'), notices.join(`\n${'-'.repeat(80)}\n\n`));
}

function copyCodicons() {
  mkdirSync(path.join(root, 'dist/webviews'), { recursive: true });
  for (const name of ['codicon.css', 'codicon.ttf']) {
    copyFileSync(path.join(root, 'node_modules/@vscode/codicons/dist', name), path.join(root, 'dist/webviews', name));
  }
}

/** Read when the first JPEG is. */
function copyJpegCodec() {
  copyFileSync(
    path.join(root, 'node_modules/@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm'),
    path.join(root, 'dist/mozjpeg_dec.wasm'),
  );
}

async function main() {
  const bundles = [extension, server, webviews];
  if (flag('tests')) bundles.push(hostTests);
  rmSync(path.join(root, 'dist'), { recursive: true, force: true });
  copyCodicons();
  copyJpegCodec();
  if (flag('watch')) {
    for (const options of bundles) await (await context({ ...options, logLevel: 'info' })).watch();
  } else {
    const results = await Promise.all(bundles.map((options) => build(options)));
    if (production) writeNotices(results);
    printSizes();
  }
}

if (process.argv[1] === import.meta.filename) await main();
