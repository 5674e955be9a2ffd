import { unknownValue, unreachable } from '../../graph/onnx/errors.js';
import { LabError } from '../../protocol/errors.js';
import type { Tensor } from '../../tensor/tensor.js';
import { convert, elementOf, floatsOf, type HostTensor } from '../elements.js';
import type { Intervention } from '../patch.js';
import { feedsOf, returned } from './call.js';
import { endNames, fullNames, ownName } from './names.js';
import type { OnnxSequence } from './sequence.js';
import type { OnnxSequenceModel } from './sequenceModel.js';
import { emptyState } from './tokenFeeds.js';

const wrongShape = (name: string, part: string, given: readonly number[], dims: readonly number[]) =>
  new LabError({
    code: 'INTERVENTION_SHAPE',
    message: `${part} of ${name} is [${given.join(', ')}], and its value [${dims.join(', ')}] in this graph.`,
    hint: 'Each size is 1 or that of the value, without the batch.',
  });

interface Change extends Intervention {
  /** The graph's own name of the value, and the node that makes it. */
  readonly value: string;
  readonly node: number;
}

/**
 * Logits [T,V] of the tokens of a sequence with some values of the graph changed, each to value · scale + shift in the shape it has in the graph,
 * without the batch. A value is computed behind the changes before it, and its own change is given to the rest of the graph as an input. The
 * sequence stays as it is. Errors: PROBE_UNKNOWN, PROBE_UNREACHABLE, INTERVENTION_SHAPE, RUNTIME_FAILED, CANCELLED.
 */
export const patchGraph = (
  sequence: Pick<OnnxSequence, 'model' | 'ids'>,
  asked: readonly Intervention[],
  signal?: AbortSignal,
): Promise<Tensor> => sequence.model.inspections.use(() => patched(sequence, asked, signal));

async function patched(
  { model, ids }: Pick<OnnxSequence, 'model' | 'ids'>,
  asked: readonly Intervention[],
  signal?: AbortSignal,
): Promise<Tensor> {
  const changes = asked.map((change): Change => ({ ...change, ...placeOf(model, change.probe) })).sort((a, b) => a.node - b.node);
  const changed = new Map<string, HostTensor>();
  const read = async (name: string): Promise<HostTensor> => {
    const session = await model.inspections.get([name], [...changed.keys()]);
    const feeds = feedsOf(model, session, ids, { from: 0, to: ids.length }, (input) => {
      const state = model.tokens.states.find((each) => each.input === input);
      return { kind: 'tensor', tensor: state ? emptyState(state) : (changed.get(input) as HostTensor) };
    });
    const out = await model.device.run([{ session: session.session, feeds, sinks: returned(session) }], signal ? { signal } : {});
    return out[name] as HostTensor;
  };
  for (const change of changes)
    changed.set(change.value, apply(change, changed.get(change.value) ?? (await read(change.value)), model));
  const logits = await read(model.tokens.logits);
  return { shape: logits.dims.slice(1), data: floatsOf(logits) };
}

/** A value that a node of the graph makes: what a fused operator keeps to itself, or a loop does step by step, nothing in the graph reads. */
function placeOf({ document, graph }: OnnxSequenceModel, probe: string): Pick<Change, 'value' | 'node'> {
  const value = fullNames(graph).get(probe)?.value ?? endNames(graph).get(probe)?.value ?? ownName(probe);
  const origin = document.origins.get(value);
  if (origin?.kind === 'node') return { value, node: origin.node };
  if (graph.added.some(({ output }) => output.includes(value)) || value.includes('/body/'))
    throw unreachable(probe, 'it is computed inside an operator, and the graph does not read it');
  throw unknownValue(probe);
}

function apply({ probe, value, scale, shift }: Change, tensor: HostTensor, { inspections }: OnnxSequenceModel): HostTensor {
  const dims = tensor.dims.slice(1);
  if (tensor.dims[0] !== 1) throw unreachable(probe, `its first axis of ${tensor.dims[0]} is no batch`);
  const [at, add] = [
    ['scale', scale],
    ['shift', shift],
  ].map(([part, given]) => reader(probe, part as string, given as Tensor, dims)) as [Reader, Reader];
  const data = floatsOf(tensor).map((x, i) => x * at(i) + add(i));
  const type = elementOf(inspections.probes.types.get(value) ?? 'F32') ?? 'float32';
  return convert({ type: 'float32', dims: tensor.dims, data }, type) as HostTensor;
}

type Reader = (index: number) => number;

/** Of a tensor of the same rank the element that belongs to an element of the value; axes of size 1 repeat. */
function reader(name: string, part: string, { shape, data }: Tensor, dims: readonly number[]): Reader {
  if (shape.length !== dims.length || shape.some((size, axis) => size !== 1 && size !== dims[axis]))
    throw wrongShape(name, part, shape, dims);
  if (data.length === 1) return () => data[0] as number;
  return (index) => {
    let [rest, at, stride] = [index, 0, 1];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const size = dims[axis] as number;
      if (shape[axis] !== 1) {
        at += (rest % size) * stride;
        stride *= size;
      }
      rest = Math.floor(rest / size);
    }
    return data[at] as number;
  };
}
