import type { Tensor } from '../tensor/tensor.js';
import { type Feed, f32, type HostTensor, i64, type Program, type Sink, type Step } from './device.js';
import { feedsOf } from './feeds.js';
import type { Piece } from './model.js';
import type { Rows } from './rows.js';
import type { Run } from './run.js';

/**
 * A change of one probe: value · scale + shift, both broadcast against the probe's shape without batch (same rank, sizes 1 or full).
 * scale 0 and a shift replaces; scale 0 and shift 0 ablates; scale 1 adds a direction.
 */
export interface Intervention {
  readonly probe: string;
  readonly scale: Tensor;
  readonly shift: Tensor;
}

/**
 * Logits [T,V] of a run's tokens with some probes changed: runs again from the first touched block on, from its residual checkpoint.
 * The run itself stays as it is. Errors: PROBE_UNKNOWN, CANCELLED.
 */
export async function patch(run: Run, changes: readonly Intervention[], signal?: AbortSignal): Promise<Tensor> {
  const { model } = run;
  const L = model.layers.length;
  const first = Math.min(L, ...changes.map(({ probe }) => blockOf(probe, L)));
  const pieces: Piece[] = [];
  for (let i = first; i < L; i++) {
    const mine = new Set(changes.filter((c) => blockOf(c.probe, L) === i).map((c) => c.probe));
    const carries = first === 0 && i === 0 ? [...run.carries.keys()] : [];
    const probes = new Set([`blocks.${i}.resid_post`, ...carries]);
    pieces.push(await model.inspection({ from: i, to: i + 1, embed: false, head: false, probes, interventions: mine }));
  }
  const atHead = new Set(changes.filter((c) => blockOf(c.probe, L) === L).map((c) => c.probe));
  pieces.push(
    await model.inspection({ from: L, to: L, embed: false, head: true, probes: new Set(['logits']), interventions: atHead }),
  );
  const { logits } = await model.device.run(program(run, pieces, changes), signal ? { signal } : {});
  return { shape: (logits as HostTensor).dims.slice(1), data: (logits as HostTensor).data as Float32Array };
}

const blockOf = (probe: string, last: number): number => Number(/^blocks\.(\d+)\./.exec(probe)?.[1] ?? last);

function program(run: Run, pieces: readonly Piece[], changes: readonly Intervention[]): Program {
  const T = run.ids.length;
  const tensor = (value: HostTensor): Feed => ({ kind: 'tensor', tensor: value });
  const written = new Set<string>();
  return pieces.map(({ session, graph, spec }, index): Step => {
    const feeds = feedsOf(graph, (input) => {
      switch (input.role) {
        case 'past':
        case 'kept':
          return tensor(i64([1], [0]));
        case 'resid': {
          const start = run.resid[spec.from] as Rows;
          return index > 0 ? { kind: 'register', name: 'resid' } : tensor(f32([1, T, start.width], start.slice(0, T)));
        }
        case 'carry': {
          const carry = run.carries.get(input.carry) as Rows;
          return written.has(input.carry)
            ? { kind: 'register', name: input.carry }
            : tensor(f32([1, T, carry.width], carry.slice(0, T)));
        }
        case 'state':
          return tensor(
            zeros(graph.inputs.find((v) => v.name === `blocks.${input.block}.state.${input.state}.past`)?.shape ?? []),
          );
        case 'intervention': {
          const change = changes.find((c) => c.probe === input.probe) as Intervention;
          const value = change[input.part];
          return tensor(f32([1, ...value.shape], value.data));
        }
        default:
          throw new RangeError(`a patch has no input ${input.role}`);
      }
    });
    const sinks = Object.fromEntries(
      [...graph.outputs.keys()].map((name): [string, readonly Sink[]] => {
        if (name === 'logits') return [name, [{ kind: 'return', name }]];
        if (name.startsWith('carry.')) written.add(name);
        return [name, [{ kind: 'register', name: name.startsWith('carry.') ? name : 'resid' }]];
      }),
    );
    return { session, feeds, sinks };
  });
}

/** State before the first token; a growing axis needs one (masked) row. */
function zeros(shape: readonly (number | string)[]): HostTensor {
  const dims = shape.map((d) => (typeof d === 'number' ? d : 1));
  return f32(dims, new Float32Array(dims.reduce((n, d) => n * d, 1)));
}
