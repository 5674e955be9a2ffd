// `npm run shots [NAME…]`: runs the UI tests and refreshes the pictures of media/screenshots from what they saved, those
// already there and those named, as PNG with a palette.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import UPNG from 'upng-js';

const COLOURS = 256;
const root = path.resolve(import.meta.dirname, '../..');
const pictures = path.join(root, 'media/screenshots');
const shots = path.join(root, '.cache/shots');

mkdirSync(pictures, { recursive: true });
const { status } = spawnSync(process.execPath, ['test/run.mjs', 'ui'], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...process.env, SHOTS: shots },
});
const names = new Set([...readdirSync(pictures).map((file) => path.parse(file).name), ...process.argv.slice(2)]);
for (const name of names) {
  const source = path.join(shots, `${name}.png`);
  if (!existsSync(source)) {
    console.error(`${name}: no UI test made this screenshot`);
    process.exitCode = 1;
    continue;
  }
  const image = UPNG.decode(readFileSync(source));
  const bytes = Buffer.from(UPNG.encode(UPNG.toRGBA8(image), image.width, image.height, COLOURS));
  writeFileSync(path.join(pictures, `${name}.png`), bytes);
  console.log(`media/screenshots/${name}.png ${image.width}×${image.height}, ${(bytes.length / 1000).toFixed(0)} kB`);
}
if (status !== 0) process.exitCode = 1;
