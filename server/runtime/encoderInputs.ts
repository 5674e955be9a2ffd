import type { BoundStack, Segment } from '../graph/segment.js';
import type { Given } from '../graph/segmentBuilder.js';
import { LabError } from '../protocol/errors.js';
import { sizeOf } from '../tensor/tensor.js';
import type { HostTensor } from './elements.js';
import type { Tensors } from './forward.js';

const outOfRange = (name: string, value: bigint, below: number) =>
  new LabError({
    code: 'TOKEN_INVALID',
    message: `Input ${name} holds ${value}, which is not in 0…${below - 1}.`,
    hint: 'Check the input, or whether the tokenizer belongs to this model.',
  });

const tooLong = (tokens: number, limit: number) =>
  new LabError({
    code: 'CONTEXT_FULL',
    message: `This model has positions for ${limit} tokens, not for ${tokens}.`,
    hint: 'Shorten the text.',
  });

const empty = (name: string, dims: readonly number[]) =>
  new LabError({
    code: 'INPUT_SHAPE',
    message: `Input ${name} is [${dims.join(', ')}], which is nothing to look at.`,
    hint: 'Give at least one token, or an image of at least one patch.',
  });

/** What a stack reads, of inputs that fit: what was not given filled in, every value checked. Errors: TOKEN_INVALID, CONTEXT_FULL, INPUT_SHAPE. */
export function stackInputs({ config }: BoundStack, { given }: Segment, inputs: Tensors): Tensors {
  const sizes = new Map<string, number>();
  for (const { name, shape, least } of given) {
    const tensor = inputs.get(name);
    if (!tensor) continue;
    for (const [axis, size] of shape.entries()) if (typeof size === 'string') sizes.set(size, tensor.dims[axis] as number);
    if (tensor.dims.some((size, axis) => size < (least?.[axis] ?? 1))) throw empty(name, tensor.dims);
  }
  const [T, limit] = [sizes.get('T'), config.limit];
  if (T !== undefined && limit && T > limit) throw tooLong(T, limit);
  return new Map(given.map((spec) => [spec.name, checked(spec, inputs.get(spec.name) ?? constant(spec, sizes))]));
}

function constant({ shape, otherwise }: Given, sizes: ReadonlyMap<string, number>): HostTensor {
  const dims = shape.map((size) => (typeof size === 'number' ? size : (sizes.get(size) as number)));
  return { type: 'int64', dims, data: new BigInt64Array(sizeOf(dims)).fill(BigInt(otherwise as number)) };
}

function checked({ name, below }: Given, tensor: HostTensor): HostTensor {
  if (below !== null)
    for (const value of tensor.data as BigInt64Array) if (value < 0n || value >= below) throw outOfRange(name, value, below);
  return tensor;
}
