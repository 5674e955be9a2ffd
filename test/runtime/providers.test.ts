import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseProvider } from '../../server/runtime/providers.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { openLab } from '../lab/harness.js';

/** No GPU driver is in this process: whatever the machine has, Vulkan is told to look for it nowhere. */
process.env.VK_ICD_FILENAMES = '/nowhere';

/** Not on any platform this runs on together with the others. */
const absent = process.platform === 'darwin' ? 'dml' : 'coreml';

for (const wanted of ['webgpu', absent] as const)
  test(`${wanted}, which does not work here, is replaced by the processor with the reason`, async () => {
    const device = new LocalDevice();
    const { provider, refused } = await chooseProvider(device, wanted);
    assert.equal(provider, 'cpu');
    assert.equal(refused?.code, 'PROVIDER_FAILED');
    assert.match(refused?.message ?? '', new RegExp(`^Models run on the CPU, since ${wanted} cannot be used here: `));
    await device.close();
  });

test('the processor is taken without a trial, and without a word', async () => {
  const device = new LocalDevice();
  assert.deepEqual(await chooseProvider(device, 'cpu'), { provider: 'cpu', refused: null });
  assert.equal((await chooseProvider(device, 'auto')).refused, null);
  await device.close();
});

test('a lab whose provider fails says so once, runs on the processor and tells the doctor', async () => {
  const lab = openLab({ provider: absent });
  const doctor = await lab.ask('lab/doctor', {});
  const [model] = await lab.ask('models/find', { folders: [] });
  const info = await lab.ask('models/open', { path: model?.path as string });
  assert.equal(info.provider, 'cpu');
  const notices = lab.events.filter(({ event }) => event === 'notice');
  assert.equal(notices.length, 1);
  const check = doctor.checks.find(({ id }) => id === 'providers');
  assert.equal(check?.status, 'warning');
  assert.match(check?.detail ?? '', /Models run on the CPU, since/);
  await lab.lab.dispose();
});
