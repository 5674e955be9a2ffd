// Makes the .vsix for this platform: `package.mjs [FILE]`. Only its own ONNX Runtime goes in.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import vsce from '@vscode/vsce';

/** As the packager counts: 2²⁰ bytes. */
const MAX_MB = 40;
const root = path.resolve(import.meta.dirname, '../..');
const target = `${process.platform}-${process.arch}`;
const { name, version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const packagePath = path.resolve(process.argv[2] ?? path.join(root, `${name}-${target}-${version}.vsix`));

execFileSync(process.execPath, ['esbuild.mjs', '--production'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });

const ignoreFile = path.join(root, '.cache', `vscodeignore-${target}`);
mkdirSync(path.dirname(ignoreFile), { recursive: true });
const binaries = `!node_modules/onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}/**`;
writeFileSync(ignoreFile, `${readFileSync(path.join(root, '.vscodeignore'), 'utf8')}\n${binaries}\n`);

await vsce.createVSIX({ cwd: root, target, packagePath, ignoreFile, allowMissingRepository: true, rewriteRelativeLinks: false });
const megabytes = statSync(packagePath).size / 2 ** 20;
console.log(`${path.relative(root, packagePath)}: ${megabytes.toFixed(1)} MB for ${target}`);
if (megabytes > MAX_MB) throw new Error(`the .vsix is larger than ${MAX_MB} MB: look at what .vscodeignore lets in`);
