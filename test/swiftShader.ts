import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { brotliDecompressSync } from 'node:zlib';

const root = path.resolve(import.meta.dirname, '..');
const folder = path.join(root, '.cache/swiftshader');
const archive = path.join(root, 'node_modules/@sparticuz/chromium/bin/swiftshader.tar.br');

/** Environment of a process that finds a Vulkan device without a GPU, SwiftShader, which comes with the tests' Chromium; null on other platforms. */
export function swiftShader(): Readonly<Record<string, string>> | null {
  if (process.platform !== 'linux' || process.arch !== 'x64') return null;
  const driver = path.join(folder, 'vk_swiftshader_icd.json');
  if (!existsSync(driver)) {
    mkdirSync(folder, { recursive: true });
    const { status } = spawnSync('tar', ['-x', '-C', folder], { input: brotliDecompressSync(readFileSync(archive)) });
    if (status !== 0) throw new Error(`${archive} could not be unpacked`);
  }
  return { VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: folder };
}
