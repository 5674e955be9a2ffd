import { useMemo } from 'preact/hooks';
import type { CheckpointDiff, TensorDiff } from '../../server/protocol/weights.js';
import { exact, shape } from '../charts/numbers.js';
import { Button } from '../controls/controls.js';
import { ProvenanceLine } from '../frame/provenance.js';
import { Empty, Loaded } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { boot, persisted, request } from '../host.js';
import { DiffTable } from './diffTable.js';
import { MatrixPicture } from './matrixPicture.js';
import { Ranks } from './spectrum.js';

const GRID = 192;
const BINS = 80;

const isText = (value: unknown): value is string => typeof value === 'string';
/** The other checkpoint: named by the command that opened this view, or picked here. */
export const other = persisted('compareWith', boot.compareWith ?? '', isText);
const chosen = persisted('diffTensor', '', isText);

const pick = async () => {
  const picked = await request('host/pickModel', null).catch(() => null);
  if (picked) other.value = picked.path;
};

/** This checkpoint (A) and another (B), tensor by tensor: did training or quantisation change what it was meant to? */
export function Compare({ path }: { readonly path: string }) {
  const pair = other.value === '' ? null : { a: path, b: other.value };
  const diff = useRequest('weights/diff', pair);
  if (pair === null)
    return (
      <Empty
        text="Compares this checkpoint with another, tensor by tensor: a fine-tune with its base, a quantised file with the original, in any formats."
        action={{ label: 'Choose the other checkpoint', run: pick }}
      />
    );
  return (
    <>
      <div class="tensor-tools">
        <span>
          Δ = B − A, where B is <b title={pair.b}>{pair.b.split(/[\\/]/).at(-1)}</b>
        </span>
        <Button kind="secondary" onClick={() => void pick()}>
          Choose another…
        </Button>
      </div>
      <Loaded of={diff} what="The differences of all tensors">
        {(value) => <Differences diff={value} a={pair.a} b={pair.b} />}
      </Loaded>
    </>
  );
}

function Differences({ diff, a, b }: { readonly diff: CheckpointDiff; readonly a: string; readonly b: string }) {
  const sorted = useMemo(() => diff.tensors.toSorted(byChange), [diff]);
  const changed = diff.tensors.filter((tensor) => tensor.changed > 0);
  const tensor = diff.tensors.find(({ name }) => name === chosen.value);
  return (
    <div class="tensors wide compared">
      <div class="tensor-side">
        <p class="note" aria-live="polite">
          {`${changed.length.toLocaleString('en')} of ${diff.tensors.length.toLocaleString('en')} tensors differ`}
          {told('only in A', diff.onlyA)}
          {told('only in B', diff.onlyB)}
          {told(
            'of another shape',
            diff.reshaped.map(({ name, a, b }) => `${name} ${shape(a)} and ${shape(b)}`),
          )}
        </p>
        <DiffTable
          tensors={sorted}
          selected={chosen.value}
          onSelect={(name) => {
            chosen.value = name;
          }}
        />
      </div>
      {tensor ? (
        <OneTensor a={a} b={b} tensor={tensor} />
      ) : (
        <p class="note">Choose a tensor to see where it changed, and whether the change is of low rank as LoRA leaves it.</p>
      )}
    </div>
  );
}

/** Those that changed most first; what is not a number comes before all. */
const byChange = (x: TensorDiff, y: TensorDiff): number =>
  (Number.isNaN(y.relative) ? Infinity : y.relative) - (Number.isNaN(x.relative) ? Infinity : x.relative) || 0;

const told = (what: string, names: readonly string[]) =>
  names.length > 0 && (
    <>
      {' · '}
      <abbr title={names.join('\n')}>{`${names.length.toLocaleString('en')} ${what}`}</abbr>
    </>
  );

function OneTensor({ a, b, tensor }: { readonly a: string; readonly b: string; readonly tensor: TensorDiff }) {
  const { name } = tensor;
  const picture = useRequest('weights/diffTensor', { a, b, tensor: name, rows: GRID, cols: GRID, bins: BINS }, 80);
  return (
    <section class="tensor-detail" aria-label={`Difference of ${name}`}>
      <h2 class="tensor-title">{name}</h2>
      <p class="note">
        {tensor.dtypes.join(' → ')} · {shape(tensor.shape)} · ‖Δ‖ {exact(tensor.norm)} · largest |Δ| {exact(tensor.max)}
      </p>
      <Loaded of={picture} what={`The difference of ${name}`}>
        {(value) => (
          <>
            <MatrixPicture picture={value} name={`the difference of ${name}`} unit="Δ" height={260} />
            {value.spectrum ? (
              <Ranks spectrum={value.spectrum} name={`the difference of ${name}`} letter="Δ" />
            ) : (
              <p class="note">A value is not finite: the difference has no singular values.</p>
            )}
            <ProvenanceLine provenance={value.provenance} command={{ verb: 'diff', path: a, options: [b] }} />
          </>
        )}
      </Loaded>
    </section>
  );
}
