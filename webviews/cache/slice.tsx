import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { CachedRow, CacheSlice } from '../../server/protocol/inspect.js';
import { compact, exact } from '../charts/numbers.js';
import { Vector } from '../charts/vector.js';
import { rotation, wavelength } from './rope.js';

export interface SliceProps {
  readonly slice: CacheSlice;
  readonly kvHead: number;
  readonly token: number;
}

/** The vectors one position keeps for one KV head, and how RoPE has turned them. */
export const Slice = ({ slice, kvHead, token }: SliceProps) => (
  <div class="slice">
    {slice.rows.map((row) => (
      <Row key={row.name} row={row} kvHead={kvHead} token={token} />
    ))}
  </div>
);

function Row({ row, kvHead, token }: { readonly row: CachedRow; readonly kvHead: number; readonly token: number }) {
  const cursor = useSignal<number | null>(null);
  const rope = useMemo(() => (row.rope ? rotation(row.rope) : null), [row]);
  const { name, values } = row;
  const dimensions = values.data.length;
  const waves = useMemo(
    () => (rope ? Float32Array.from({ length: dimensions }, (_, i) => wavelength(rope.frequency(i))) : null),
    [rope, dimensions],
  );
  const partner = (dimension: number): readonly number[] => {
    const other = rope?.partner(dimension) ?? null;
    return other === null ? [] : [other];
  };
  const describe = (i: number, value: number) => {
    const other = rope?.partner(i) ?? null;
    if (!rope || other === null) return `${name}[${i}] = ${exact(value)}${rope ? ', not rotated' : ''}`;
    const paired = values.data[other] ?? 0;
    const length = Math.hypot(value, paired);
    return `${name}[${i}] = ${exact(value)} · pair with ${name}[${other}] = ${exact(paired)}, length ${compact(length)}`;
  };
  const describeWave = (i: number, value: number) =>
    value === Infinity
      ? `dimension ${i} is not rotated`
      : `dimension ${i} turns ${compact(rope?.frequency(i) ?? 0)} rad a token: once in ${compact(value)} tokens; ${compact((token * (rope?.frequency(i) ?? 0)) / (2 * Math.PI))} turns at this position`;
  return (
    <>
      <h3>
        {name}
        {name === 'v' ? '' : rope ? ', as cached, after RoPE' : ', as cached'}, by dimension
      </h3>
      <Vector
        values={values.data}
        label={`${name} of token ${token}, KV head ${kvHead}`}
        itemName="dimension"
        cursor={cursor}
        marked={partner}
        describe={describe}
      />
      {waves && (
        <>
          <h3>RoPE wavelength in tokens, log ({row.rope?.style === 'half' ? 'pairs i and i + half' : 'pairs 2i and 2i + 1'})</h3>
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
    </>
  );
}
