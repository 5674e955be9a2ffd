import type { FilledInput } from '../../graph/onnx/tokenGraph.js';
import type { ElementType, HostTensor } from '../elements.js';
import { convert, elementOf } from '../elements.js';

/** What a call is about: tokens from…to−1 of a sequence, whose state holds those before. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const longs = (dims: readonly number[], values: BigInt64Array, dtype: string): HostTensor =>
  convert({ type: 'int64', dims, data: values }, elementOf(dtype) as ElementType) as HostTensor;

/** Token ids [1, to − from]. */
export const idsTensor = (ids: readonly number[], { from, to }: Span, dtype: string): HostTensor =>
  longs([1, to - from], BigInt64Array.from(ids.slice(from, to), BigInt), dtype);

/** What an input other than tokens and state is given for them. */
export function filledTensor({ shape, filler, dtype }: FilledInput, { from, to }: Span): HostTensor {
  const dims = shape.map((size) => (size === 'new' ? to - from : size === 'all' ? to : size));
  const values = new BigInt64Array(dims.reduce((n, d) => n * d, 1));
  if (filler === 'ones') values.fill(1n);
  else if (filler === 'positions') for (let i = 0; i < values.length; i++) values[i] = BigInt(from + (i % (to - from)));
  else if (filler !== 'zeros') values.fill(BigInt(filler.value));
  return longs(dims, values, dtype);
}
