// Fetches ONNX's own backend tests (Apache-2.0: models with inputs and expected outputs) out of the Python wheel `onnx`, once, into
// .cache/onnx. Prints their folder, or why they cannot be had. `node test/onnxNodes.mjs`
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

// The last version whose wheel carries the data; later ones make it when they are asked.
const WHEEL = 'onnx==1.22.0';
const folder = path.resolve(import.meta.dirname, `../.cache/${WHEEL.replace('==', '-')}`);
/** The data is the same in every wheel, whatever Python and system run here. */
const ANY = ['--only-binary=:all:', '--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311'];
const PLATFORM = ['--platform', 'manylinux_2_28_x86_64', '--platform', 'manylinux_2_27_x86_64'];
const EXTRACT = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.startswith('onnx/backend/test/data/')])
`;

/** Folder of the tests, one folder a kind (node, simple …), or null when Python's pip or the wheel cannot be had. */
export function onnxNodes() {
  if (existsSync(folder)) return folder;
  const temporary = `${folder}.partial`;
  const python = (...args) => execFileSync('python3', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 180_000 });
  try {
    mkdirSync(temporary, { recursive: true });
    python('-m', 'pip', 'download', '--quiet', '--no-deps', ...ANY, ...PLATFORM, '--dest', temporary, WHEEL);
    const wheel = readdirSync(temporary).find((name) => name.endsWith('.whl'));
    python('-c', EXTRACT, path.join(temporary, wheel), temporary);
    renameSync(path.join(temporary, 'onnx/backend/test/data'), folder);
    return folder;
  } catch {
    return null;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  console.log(onnxNodes() ?? `${WHEEL} cannot be had: it needs python3 with pip and a package index`);
