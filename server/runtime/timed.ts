import type { Device, Program } from './device.js';

const ROUNDS = 5;
/** A round lasts about this long, so that the clock and the way to the device do not count. */
const ROUND_SECONDS = 0.04;

type Step = Program[number];

/** Seconds of one step at best of several rounds that are long enough for the clock: models and the machine itself are measured by it. */
export async function timed(device: Device, step: Step, signal?: AbortSignal): Promise<number> {
  const round = async (runs: number): Promise<number> => {
    const started = performance.now();
    await device.run(new Array<Step>(runs).fill(step), signal ? { signal } : {});
    return (performance.now() - started) / 1000 / runs;
  };
  await round(1);
  const runs = Math.max(1, Math.min(200, Math.round(ROUND_SECONDS / (await round(1)))));
  const seconds: number[] = [];
  for (let i = 0; i < ROUNDS; i++) seconds.push(await round(runs));
  return Math.min(...seconds);
}
