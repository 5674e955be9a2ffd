import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { CacheSlice } from '../../server/protocol/inspect.js';
import { compact, exact } from '../charts/numbers.js';
import { Vector } from '../charts/vector.js';
import { rotation, wavelength } from './rope.js';

export interface SliceProps {
  readonly slice: CacheSlice;
  readonly kvHead: number;
  readonly token: number;
}

/** The two vectors one position keeps for one KV head, and how RoPE has turned the key. */
export function Slice({ slice, kvHead, token }: SliceProps) {
  const cursor = useSignal<number | null>(null);
  const rope = useMemo(() => (slice.rope ? rotation(slice.rope) : null), [slice]);
  const dimensions = slice.k.data.length;
  const waves = useMemo(
    () => (rope ? Float32Array.from({ length: dimensions }, (_, i) => wavelength(rope.frequency(i))) : null),
    [rope, dimensions],
  );
  const partner = (dimension: number): readonly number[] => {
    const other = rope?.partner(dimension) ?? null;
    return other === null ? [] : [other];
  };
  const describeK = (i: number, value: number) => {
    const other = rope?.partner(i) ?? null;
    if (!rope || other === null) return `k[${i}] = ${exact(value)}${rope ? ', not rotated' : ''}`;
    const length = Math.hypot(value, slice.k.data[other] ?? 0);
    return `k[${i}] = ${exact(value)} · pair with k[${other}] = ${exact(slice.k.data[other] ?? 0)}, length ${compact(length)}`;
  };
  const describeWave = (i: number, value: number) =>
    value === Infinity
      ? `dimension ${i} is not rotated`
      : `dimension ${i} turns ${compact(rope?.frequency(i) ?? 0)} rad a token: once in ${compact(value)} tokens; ${compact((token * (rope?.frequency(i) ?? 0)) / (2 * Math.PI))} turns at this position`;
  return (
    <div class="slice">
      <h3>k, {slice.rope ? 'as cached, after RoPE' : 'as cached'}</h3>
      <Vector
        values={slice.k.data}
        label={`k of token ${token}, KV head ${kvHead}`}
        itemName="dimension"
        cursor={cursor}
        marked={partner}
        describe={describeK}
      />
      <h3>v</h3>
      <Vector
        values={slice.v.data}
        label={`v of token ${token}, KV head ${kvHead}`}
        itemName="dimension"
        describe={(i, value) => `v[${i}] = ${exact(value)}`}
      />
      {waves && (
        <>
          <h3>
            RoPE wavelength in tokens, log ({slice.rope?.style === 'half' ? 'pairs i and i + half' : 'pairs 2i and 2i + 1'})
          </h3>
          <Vector
            values={waves}
            label="RoPE wavelength of each dimension"
            itemName="dimension"
            log
            endless
            height={40}
            cursor={cursor}
            marked={partner}
            describe={describeWave}
          />
        </>
      )}
    </div>
  );
}
