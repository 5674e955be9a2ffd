import { effect, type Signal, useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { CheckpointSummary } from '../../server/protocol/models.js';
import { IconButton } from '../controls/controls.js';
import { select, selection } from '../frame/selection.js';
import { boot, persisted } from '../host.js';
import { TensorDetail } from './tensorDetail.js';
import { filterTensors } from './tensorList.js';
import { TensorTable } from './tensorTable.js';
import { TensorTree } from './tensorTree.js';

const isText = (value: unknown): value is string => typeof value === 'string';
const isFlag = (value: unknown): value is boolean => typeof value === 'boolean';
const chosen = persisted('tensor', '', isText);
const asTable = persisted('tensorTable', false, isFlag);

/** The editor of a file is about that file alone. */
export const followsSelection = boot.view !== 'checkpoint';

/** A tensor that somebody went to elsewhere. */
effect(() => {
  const { tensor } = selection.value;
  if (tensor !== undefined && followsSelection) chosen.value = tensor;
});

/** All tensors of a file, as a tree or a table, and the values of the chosen one. */
export function Tensors({ summary }: { readonly summary: CheckpointSummary }) {
  const query = useSignal('');
  const tensors = useMemo(() => filterTensors(summary.tensors, query.value), [summary, query.value]);
  const tensor = summary.tensors.find(({ name }) => name === chosen.value);
  const List = asTable.value ? TensorTable : TensorTree;
  return (
    <div class={asTable.value ? 'tensors wide' : 'tensors'}>
      <div class="tensor-side">
        <div class="tensor-tools">
          <Search query={query} placeholder="Name, type or shape" />
          <span class="note">
            {tensors.length === summary.tensors.length
              ? `${tensors.length.toLocaleString('en')} tensors`
              : `${tensors.length.toLocaleString('en')} of ${summary.tensors.length.toLocaleString('en')}`}
          </span>
          <IconButton
            icon={asTable.value ? 'list-tree' : 'table'}
            label={asTable.value ? 'Show as a tree (t)' : 'Show as a table (t)'}
            onClick={toggleTable}
          />
        </div>
        <List
          tensors={tensors}
          filtered={query.value.trim() !== ''}
          selected={tensor?.name ?? null}
          onSelect={(name) => {
            chosen.value = name;
            if (followsSelection) select({ tensor: name });
          }}
        />
      </div>
      {tensor ? (
        <TensorDetail path={summary.path} tensor={tensor} />
      ) : (
        <p class="note">
          Choose a tensor to see its values, singular values, channels that stand out, and what rounding would lose.
        </p>
      )}
    </div>
  );
}

export function toggleTable(): void {
  asTable.value = !asTable.value;
}

export const Search = ({ query, placeholder }: { readonly query: Signal<string>; readonly placeholder: string }) => (
  <input
    class="search"
    type="search"
    value={query.value}
    placeholder={placeholder}
    aria-label={placeholder}
    onInput={({ currentTarget }) => {
      query.value = currentTarget.value;
    }}
    onKeyDown={({ key, currentTarget }) => {
      if (key !== 'Escape') return;
      query.value = '';
      currentTarget.blur();
    }}
  />
);
