import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import test, { after, before } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import { LabError } from '../../server/protocol/errors.js';
import { malformed } from './malformedFiles.js';

/** Each malformed file or folder → the exact error of opening it. `UPDATE_MANIFEST=1` writes what is seen; read the diff. */
const manifestPath = 'test/fixtures/formats/malformed.json';
interface Expected {
  readonly code: string;
  readonly message: string;
  /** The file the error names, relative, when it is not the one opened. */
  readonly file?: string;
  readonly offset?: number;
}

let folder: string;
before(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'model-lab-malformed-')));
});
after(() => rm(folder, { recursive: true }));

async function errorOf(name: string): Promise<Expected> {
  for (const [file, content] of Object.entries(malformed[name] ?? {})) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), content);
  }
  const started = process.cpuUsage();
  const error = await openCheckpoint(join(folder, name)).then(
    () => assert.fail(`${name} opened`),
    (reason: unknown) => reason,
  );
  const { user, system } = process.cpuUsage(started);
  assert.ok(user + system < 1e6, `${name} took ${user + system} µs`);
  assert.ok(error instanceof LabError, `${name}: ${String(error)}`);
  assert.ok(error.hint.length > 20 && error.file !== undefined, name);
  const file = relative(folder, error.file);
  return {
    code: error.code,
    message: error.message,
    ...(file !== name && { file }),
    ...(error.offset !== undefined && { offset: error.offset }),
  };
}

test('every malformed file is refused with its exact error', async () => {
  const seen: Record<string, Expected> = {};
  for (const name of Object.keys(malformed)) seen[name] = await errorOf(name);
  if (process.env.UPDATE_MANIFEST) await writeFile(manifestPath, `${JSON.stringify(seen, null, 1)}\n`);
  assert.deepEqual(seen, JSON.parse(await readFile(manifestPath, 'utf8')));
});
