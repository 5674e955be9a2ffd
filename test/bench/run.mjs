// `npm run bench [NAME…]`: runs the benchmarks beside this file one after another, all or those whose name holds NAME.
// `npm run bench -- NAME --profile` also prints where this engine's time goes, by operator.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const names = process.argv.slice(2).filter((name) => name !== '--profile');
// as the extension starts the server
const pages = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' };
const env = { ...pages, ...process.env, ...(process.argv.includes('--profile') && { BENCH_PROFILE: '1' }) };
const files = readdirSync(import.meta.dirname).filter(
  (file) => file.endsWith('.ts') && (names.length === 0 || names.some((name) => file.includes(name))),
);
if (files.length === 0) throw new Error(`no benchmark named ${names.join(' or ')} in test/bench`);
for (const file of files.sort()) {
  console.log(`\n== ${path.parse(file).name}`);
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', path.join(import.meta.dirname, file)], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env,
  });
  if (status !== 0) process.exitCode = 1;
}
spawnSync(process.execPath, ['--import', 'tsx', path.join(import.meta.dirname, 'lib/goalsReport.ts')], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
