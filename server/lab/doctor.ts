import { statfs } from 'node:fs/promises';
import { freemem, tmpdir, totalmem } from 'node:os';
import { openCheckpoint } from '../formats/registry.js';
import { Builder } from '../graph/builder.js';
import { emitOnnx, noWeights } from '../graph/emit.js';
import type { DoctorCheck, DoctorReport } from '../protocol/doctor.js';
import { toLabError } from '../protocol/errors.js';
import { f32 } from '../runtime/device.js';
import type { HostTensor } from '../runtime/elements.js';
import { summarise } from '../summary.js';
import { gigabytes } from '../tensor/bytes.js';
import { findModels } from './finder.js';
import type { Lab } from './lab.js';
import { neededMemory } from './neededMemory.js';

const OLDEST_NODE = 20;
const LITTLE_MEMORY = 2e9;
const LITTLE_DISK = 2e9;

/** Looks at everything a run needs, each by using it, and says what to do where something is wrong. */
export async function doctor(lab: Lab): Promise<DoctorReport> {
  const checks = [node(), native(lab), providers(lab), memory(lab), disk(), ...(await models(lab))];
  return { checks: await Promise.all(checks) };
}

async function node(): Promise<DoctorCheck> {
  const electron = process.versions.electron;
  const tooOld = Number(process.versions.node.split('.')[0]) < OLDEST_NODE;
  return {
    id: 'node',
    title: 'Server process',
    status: tooOld ? 'failed' : electron ? 'warning' : 'ok',
    detail: `Node ${process.versions.node}${electron ? ` inside Electron ${electron}` : ''}, ${process.platform} ${process.arch}, ${process.execPath}`,
    action: tooOld || electron ? `Install Node ${OLDEST_NODE} or newer, or point the setting modelLab.server.node at one.` : '',
  };
}

/** Runs a one-node graph: the native module is there, loads, and computes. */
async function native(lab: Lab): Promise<DoctorCheck> {
  const check = { id: 'native', title: 'ONNX Runtime' } as const;
  try {
    const g = new Builder('doctor');
    g.output('y', g.mul(g.input('x', 'f32', [2]), 2));
    const model = emitOnnx(g.graph, {
      place: noWeights,
      weights: 'map',
    });
    const session = await lab.device.load(model, { folder: '', threads: 1, prepack: false });
    const feeds = { x: { kind: 'tensor', tensor: f32([2], Float32Array.of(1, -3)) } } as const;
    const { y } = await lab.device.run([{ session, feeds, sinks: { y: [{ kind: 'return', name: 'y' }] } }]);
    await lab.device.release([session]);
    const [a, b] = (y as HostTensor).data;
    if (a !== 2 || b !== -6) throw new RangeError(`2 · (1, −3) came out as (${a}, ${b})`);
    return { ...check, status: 'ok', detail: 'The native module loads and computes.', action: '' };
  } catch (error) {
    return {
      ...check,
      status: 'failed',
      detail: toLabError(error).message,
      action: 'Install the extension again for this platform.',
    };
  }
}

async function providers(lab: Lab): Promise<DoctorCheck> {
  const [offered, { provider, refused }] = [await lab.device.providers(), await lab.provider()];
  const there = offered.includes(provider);
  return {
    id: 'providers',
    title: 'Execution providers',
    status: !there ? 'failed' : refused ? 'warning' : 'ok',
    detail: `${refused?.message ?? `Models run on ${provider}.`} This build of ONNX Runtime offers ${offered.join(', ')}.`,
    action: !there ? 'Install the extension again for this platform.' : (refused?.hint ?? ''),
  };
}

async function memory(lab: Lab): Promise<DoctorCheck> {
  const [free, total] = [freemem(), totalmem()];
  const held = lab.models.list.reduce((sum, m) => sum + m.info.memory, 0);
  const runs = lab.runs.list.reduce((sum, r) => sum + r.info.memory, 0);
  const limit = lab.options.memoryLimit;
  const low = free < LITTLE_MEMORY;
  return {
    id: 'memory',
    title: 'Memory',
    status: low ? 'warning' : 'ok',
    detail: `${gigabytes(free)} free of ${gigabytes(total)}; models hold ${gigabytes(held)}, runs ${gigabytes(runs)}${limit === null ? '' : `, limit ${gigabytes(limit)}`}.`,
    action: low ? 'Unload models or remove runs you no longer need, or close other programs.' : '',
  };
}

async function disk(): Promise<DoctorCheck> {
  const { bavail, bsize } = await statfs(tmpdir());
  const low = bavail * bsize < LITTLE_DISK;
  return {
    id: 'disk',
    title: 'Temporary files',
    status: low ? 'warning' : 'ok',
    detail: `${gigabytes(bavail * bsize)} free in ${tmpdir()}, where weights are put into the form they are computed in.`,
    action: low ? 'Free some space before opening a quantised model.' : '',
  };
}

async function models(lab: Lab): Promise<Promise<DoctorCheck>[]> {
  const found = await findModels(lab, lab.folders);
  return found.map(async ({ path, name }): Promise<DoctorCheck> => {
    const check = { id: `model:${path}`, title: name };
    try {
      const checkpoint = await openCheckpoint(path);
      const { architecture, unsupported, parameters, tokenizer } = await summarise(checkpoint);
      if (unsupported) return { ...check, status: 'failed', detail: unsupported.message, action: unsupported.hint };
      const { dtype } = lab.options;
      const memory = await neededMemory(checkpoint, dtype, freemem());
      const detail = `${architecture}, ${(parameters / 1e6).toFixed(1)} M parameters, needs ${gigabytes(memory)}${dtype === 'own' ? '' : ` as ${dtype}`}`;
      if (!tokenizer)
        return {
          ...check,
          status: 'warning',
          detail: `${detail}, no tokenizer`,
          action: 'Put its tokenizer.json beside the weights.',
        };
      return { ...check, status: 'ok', detail, action: '' };
    } catch (error) {
      const { message, hint } = toLabError(error);
      return { ...check, status: 'failed', detail: message, action: hint };
    }
  });
}
