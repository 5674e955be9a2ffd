import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { before, test } from 'node:test';
import { swiftShader } from '../swiftShader.js';
import { families } from './reference.js';

/** The references again on the WebGPU provider, over a software renderer: kernels it lacks are written another way, and the numbers are the same. */
const driver = swiftShader();
const results = new Map<string, string | null>();

before(async () => {
  if (!driver) return;
  const script = path.join(import.meta.dirname, 'onProvider.ts');
  // the driver is found when a process starts, so it gets one of its own
  const child = spawn(process.execPath, ['--import', 'tsx', script, 'webgpu', ...families], {
    env: { ...process.env, ...driver },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for await (const line of createInterface(child.stdout)) {
    const { family, error } = JSON.parse(line);
    results.set(family, error);
  }
});

for (const family of families)
  test(`${family} equals the reference on WebGPU`, { skip: driver ? false : 'SwiftShader is at hand on linux-x64 only' }, () =>
    assert.equal(results.get(family), null),
  );
