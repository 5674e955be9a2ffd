import type { Tensor } from '../tensor/tensor.js';
import type { Piece } from './compile.js';
import { type Feed, f32, i64, type Program, type Sink, type Step } from './device.js';
import type { HostTensor } from './elements.js';
import { feedsOf } from './feeds.js';
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
export const patch = (run: Run, asked: readonly Intervention[], signal?: AbortSignal): Promise<Tensor> =>
  run.model.holding(() => patched(run, asked, signal));

async function patched(run: Run, asked: readonly Intervention[], signal?: AbortSignal): Promise<Tensor> {
  const { model } = run;
  // the embedding is what enters block 0, and that is where its residual checkpoint is
  const changes = asked.map((c) => (c.probe === 'embed' ? { ...c, probe: 'blocks.0.resid_pre' } : c));
  const L = model.layers.length;
  const tokens = { from: 0, to: run.ids.length };
  const first = Math.min(L, ...changes.map(({ probe }) => blockOf(probe, L)));
  const pieces: Piece[] = [];
  for (let i = first; i < L; i++) {
    const mine = new Set(changes.filter((c) => blockOf(c.probe, L) === i).map((c) => c.probe));
    const carries = first === 0 && i === 0 ? [...run.carries.keys()] : [];
    const probes = new Set([`blocks.${i}.resid_post`, ...carries]);
    const spec = { from: i, to: i + 1, embed: false, head: false, probes, interventions: mine };
    pieces.push(await run.inspection(spec, tokens));
  }
  const atHead = new Set(changes.filter((c) => blockOf(c.probe, L) === L).map((c) => c.probe));
  const head = { from: L, to: L, embed: false, head: true, probes: new Set(['logits']), interventions: atHead };
  pieces.push(await run.inspection(head, tokens));
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
        case 'reach':
          return tensor(run.reads.tensor(0, T));
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
          const value = onKeys(input.probe) ? withEmptyColumn(change[input.part], input.part) : change[input.part];
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

/** Probes whose last axis are the keys. */
const onKeys = (probe: string) => /\.attn\.(\w+\.)?(scores|pattern)$/.test(probe);

/** One column more in front of T: that of the masked row which a kv array without rows has. */
function withEmptyColumn({ shape, data }: Tensor, part: 'scale' | 'shift'): Tensor {
  const width = shape.at(-1) as number;
  if (width === 1) return { shape, data };
  const out = new Float32Array((data.length / width) * (width + 1)).fill(part === 'scale' ? 1 : 0);
  for (let row = 0; row * width < data.length; row++)
    out.set(data.subarray(row * width, (row + 1) * width), row * (width + 1) + 1);
  return { shape: [...shape.slice(0, -1), width + 1], data: out };
}

/** State before the first token; a growing axis needs one (masked) row. */
function zeros(shape: readonly (number | string)[]): HostTensor {
  const dims = shape.map((d) => (typeof d === 'number' ? d : 1));
  return f32(dims, new Float32Array(dims.reduce((n, d) => n * d, 1)));
}
