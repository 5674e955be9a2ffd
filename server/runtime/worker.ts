import { type MessagePort, parentPort } from 'node:worker_threads';
import { toLabError } from '../protocol/errors.js';
import { LocalDevice } from './sessions.js';
import type { FromWorker, ToWorker } from './workerDevice.js';

/** The thread that runs sessions: answers each call of WorkerDevice with the LocalDevice's own method. */
const device = new LocalDevice();
const port = parentPort as MessagePort;

port.on('message', async (call: ToWorker) => {
  try {
    const reply: FromWorker = { id: call.id, result: await answer(call) };
    port.postMessage(reply, transferable(reply.result));
  } catch (error) {
    port.postMessage({ id: call.id, error: toLabError(error).toData() } satisfies FromWorker);
  }
});

async function answer(call: ToWorker): Promise<unknown> {
  if (call.method !== 'run')
    return (device[call.method] as (...args: unknown[]) => Promise<unknown>).apply(device, call.args as unknown[]);
  const flag = new Int32Array(call.cancel);
  const signal = {
    get aborted() {
      return Atomics.load(flag, 0) !== 0;
    },
  } as AbortSignal;
  const onStep = (done: number, total: number) => port.postMessage({ id: call.id, done, total } satisfies FromWorker);
  return device.run(call.program, { signal, ...(call.progress && { onStep }) });
}

/** Whole ArrayBuffers of returned tensors change hands; nothing else in this thread refers to them. */
function transferable(result: unknown): ArrayBuffer[] {
  const tensors =
    result instanceof Map ? [...result.values()] : typeof result === 'object' && result !== null ? Object.values(result) : [];
  const buffers = tensors.flatMap((t) => (t?.data?.buffer instanceof ArrayBuffer ? [t.data.buffer as ArrayBuffer] : []));
  return [...new Set(buffers)];
}
