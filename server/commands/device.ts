import type { Device } from '../runtime/device.js';
import { LocalDevice } from '../runtime/sessions.js';

/** A command has nothing else to do while a model runs: sessions live in its own thread. */
export const openDevice = (): Device => new LocalDevice();
