import { forgetsNothing, rowsKept } from '../protocol/keeps.js';
import type { StateSummary } from '../protocol/models.js';
import type { Tensor } from '../tensor/tensor.js';
import { f32, type RowCopy, type StateSnapshot } from './device.js';
import type { HostTensor } from './elements.js';
import type { Run } from './run.js';

/**
 * How many of the first `tokens` tokens of a run another of `reach` can begin with. Attention can begin anywhere, unless it is turned by angles that
 * depend on the length of the run; a recurrence only where its state is known: at a snapshot, or where the run stands.
 */
export function reusable(run: Run, tokens: number, reach: number): number {
  if (run.dropped || !run.model.capture) return 0;
  if (!run.reads.alike(tokens, reach, run.model.bound.config.stretches ?? null)) return 0;
  if (!run.recurrent || tokens === run.ids.length) return tokens;
  return run.snapshots.findLast(({ at }) => at <= tokens)?.at ?? 0;
}

/** Begins an empty run with the first tokens of another: it shares their checkpoints and snapshots, and gets a state of its own. */
export async function takeOver(run: Run, from: Run, tokens: number): Promise<void> {
  for (const [i, rows] of run.resid.entries()) rows.adopt(from.resid[i] as Run['resid'][number], tokens);
  run.reads.adopt(from.reads, tokens);
  for (const [name, rows] of run.carries) rows.adopt(from.carries.get(name) as typeof rows, tokens);
  const snapshots = from.snapshots.filter(({ at }) => at <= tokens);
  run.snapshots.push(...snapshots.map(({ at, states }) => ({ at, states: renamed(states, from.key, run.key) })));
  const { device, layers } = run.model;
  const copies: RowCopy[] = [];
  for (const { index, state } of layers) {
    const known = new Map<string, HostTensor>();
    for (const spec of state) {
      const to = run.stateName(index, spec.name);
      const [kept, mine] = [forgetsNothing(spec.keeps), from.stateName(index, spec.name)];
      if (spec.kind === 'kv' && kept) copies.push({ from: mine, to, rows: rowsKept(spec.keeps, tokens) });
      else known.set(to, await stateAt(from, index, spec, tokens));
    }
    if (known.size > 0) await device.restore(known, tokens);
  }
  await device.copyRows(copies);
}

/** A state after some tokens, as `Device.read` gives it. */
async function stateAt(run: Run, block: number, { name, kind }: StateSummary, tokens: number): Promise<HostTensor> {
  const full = run.stateName(block, name);
  if (tokens === run.ids.length) return (await run.model.device.read([full])).get(full) as HostTensor;
  if (kind !== 'kv') return run.snapshots.find(({ at }) => at === tokens)?.states.get(full) as HostTensor;
  // rows of a window that has moved on
  const probe = `blocks.${block}.state.${name}`;
  const { shape, data } = (await run.probes([probe], { range: { from: tokens - 1, to: tokens } })).get(probe) as Tensor;
  return f32(shape, data);
}

const renamed = (states: StateSnapshot, from: string, to: string): StateSnapshot =>
  new Map([...states].map(([name, value]) => [to + name.slice(from.length), value]));
