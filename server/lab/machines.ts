import { presets } from '../analyses/machines.js';
import { LabError } from '../protocol/errors.js';
import type { Machine } from '../protocol/fit.js';
import type { Compute, Device } from '../runtime/device.js';
import { measureMachine } from '../runtime/machine.js';
import { alone, type Watched } from '../runtime/view.js';
import { SharedWork } from './sharedWork.js';

const unknown = (id: string) =>
  new LabError({
    code: 'MACHINE_UNKNOWN',
    message: `There is no machine "${id}".`,
    hint: `Known are here, ${presets.map((machine) => machine.id).join(', ')}.`,
  });

/** This machine before anybody asked how fast it is. */
const unmeasured: Machine = {
  id: 'here',
  name: 'this machine',
  memory: null,
  bandwidth: 0,
  flops: {},
  source: 'measured when it is asked for',
  measured: null,
};

/** This machine, measured when it is first asked for, and those that are known by their data sheets. */
export class Machines {
  #here: Machine | null = null;
  /** Two measurements at once would halve each other's numbers. */
  readonly #measuring = new SharedWork();

  constructor(
    private readonly device: Device,
    /** What models compute with. */
    readonly compute: () => Promise<Compute>,
  ) {}

  get list(): readonly Machine[] {
    return [this.#here ?? unmeasured, ...presets];
  }

  /** Errors: MACHINE_UNKNOWN, those of measureMachine. */
  async get(id: string, watched: Watched = alone): Promise<Machine> {
    if (id === 'here') return this.#here ?? this.measure(watched);
    const preset = presets.find((machine) => machine.id === id);
    if (!preset) throw unknown(id);
    return preset;
  }

  /** Measures this machine again: what else runs on it changes. */
  measure(watched: Watched): Promise<Machine> {
    return this.#measuring.share('here', watched, async ({ signal, progress }) => {
      const onProgress = (done: number, total: number) => progress(done, total, 'Measuring this machine');
      this.#here = await measureMachine(this.device, { ...(await this.compute()), signal, onProgress });
      return this.#here;
    });
  }
}
