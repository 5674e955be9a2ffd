import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type BuildOptions, build, type Metafile, type OutputFile } from 'esbuild';

const root = path.resolve(import.meta.dirname, '../..');
const LIMIT = 300_000;
const kB = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;

/** What `npm run package` ships, without writing it. */
async function shipped(
  options: BuildOptions,
): Promise<{ readonly metafile: Metafile; readonly bytes: ReadonlyMap<string, Uint8Array> }> {
  const { metafile, outputFiles } = await build({ ...options, minify: true, sourcemap: false, write: false, metafile: true });
  const name = ({ path: file }: OutputFile) => path.relative(root, file);
  return { metafile, bytes: new Map(outputFiles.map((file) => [name(file), file.contents])) };
}

/** An output with its styles and everything that it imports at once; what is loaded when asked for is not part of it. */
function loaded({ outputs }: Metafile, entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  const output = outputs[entry];
  if (output?.cssBundle) seen.add(output.cssBundle);
  for (const { path: other, kind } of output?.imports ?? [])
    if (kind === 'import-statement') loaded({ outputs } as Metafile, other, seen);
  return seen;
}

test('what the editor loads to activate the extension is at most 300 kB', async () => {
  const { extension } = await import('../../esbuild.mjs');
  const { bytes } = await shipped(extension);
  const size = (bytes.get('dist/extension.cjs') as Uint8Array).length;
  console.log(`# extension.cjs ${kB(size)}`);
  assert.ok(size <= LIMIT, `extension.cjs has ${kB(size)}`);
  const client = bytes.get('dist/client.cjs') as Uint8Array;
  console.log(`# client.cjs ${kB(client.length)}, loaded when the server first starts`);
  assert.ok(client.length > 0);
});

test('each webview is at most 300 kB compressed, with all that it loads at first', async () => {
  const { webviews } = await import('../../esbuild.mjs');
  const { metafile, bytes } = await shipped(webviews);
  const entries = Object.keys(webviews.entryPoints as Record<string, string>);
  assert.ok(entries.length >= 8);
  for (const view of entries) {
    const files = [...loaded(metafile, `dist/webviews/${view}.js`)];
    const size = files.reduce((sum, file) => sum + gzipSync(bytes.get(file) as Uint8Array).length, 0);
    console.log(`# ${view} ${kB(size)} gzip in ${files.length} files`);
    assert.ok(size > 5000 && size <= LIMIT, `${view} has ${kB(size)}`);
  }
});
