import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { TensorSummary } from '../../server/protocol/models.js';
import { bytes, shape } from '../charts/numbers.js';
import { useRowList } from '../charts/useRowList.js';
import { type Sorting, type SortKey, sortTensors } from './tensorList.js';
import type { TensorListProps } from './tensorTree.js';
import { parametersOf } from './tree.js';

interface Column {
  readonly key: SortKey;
  readonly title: string;
  readonly number: boolean;
  text(tensor: TensorSummary): string;
}

const COLUMNS: readonly Column[] = [
  { key: 'name', title: 'Name', number: false, text: ({ name }) => name },
  { key: 'dtype', title: 'Type', number: false, text: ({ dtype }) => dtype },
  { key: 'shape', title: 'Shape', number: false, text: (tensor) => shape(tensor.shape) },
  { key: 'parameters', title: 'Parameters', number: true, text: (tensor) => parametersOf(tensor).toLocaleString('en') },
  { key: 'bytes', title: 'Size', number: true, text: (tensor) => bytes(tensor.bytes) },
  { key: 'offset', title: 'Offset', number: true, text: ({ offset }) => offset.toLocaleString('en') },
];

const ROW = 22;

/** All tensors in one sortable table; only rows on screen are in the page. */
export function TensorTable({ tensors, selected, onSelect }: TensorListProps) {
  const sorting = useSignal<Sorting>({ key: 'offset', descending: false });
  const sorted = useMemo(() => sortTensors(tensors, sorting.value), [tensors, sorting.value]);
  const at = sorted.findIndex(({ name }) => name === selected);
  const { host, from, to, moved } = useRowList({ count: sorted.length, row: ROW, at });
  const onKeyDown = (event: KeyboardEvent) => {
    const next = moved(event);
    if (next === null) return;
    event.preventDefault();
    event.stopPropagation();
    onSelect((sorted[next] as TensorSummary).name);
  };
  return (
    <div ref={host} class="tensor-table">
      <table
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a real table that arrow keys walk is a grid
        role="grid"
        tabIndex={0}
        aria-label="Tensors"
        aria-rowcount={sorted.length + 1}
        onKeyDown={onKeyDown}
      >
        <thead>
          <tr>
            {COLUMNS.map((column) => (
              <Heading key={column.key} column={column} sorting={sorting.value} sort={(next) => (sorting.value = next)} />
            ))}
          </tr>
        </thead>
        <tbody>
          <tr style={{ height: `${from * ROW}px` }} />
          {sorted.slice(from, to).map((tensor, index) => (
            <Row key={tensor.name} tensor={tensor} index={from + index} selected={tensor.name === selected} onSelect={onSelect} />
          ))}
          <tr style={{ height: `${(sorted.length - to) * ROW}px` }} />
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  readonly tensor: TensorSummary;
  /** Among all rows, from 0. */
  readonly index: number;
  readonly selected: boolean;
  onSelect(name: string): void;
}

const Row = ({ tensor, index, selected, onSelect }: RowProps) => (
  <tr
    aria-rowindex={index + 2}
    aria-selected={selected}
    class={selected ? 'selected' : undefined}
    onClick={() => onSelect(tensor.name)}
  >
    {COLUMNS.map((column) => (
      <td
        key={column.key}
        class={column.number ? 'number' : column.key === 'name' ? 'name' : undefined}
        title={column.key === 'name' ? tensor.name : undefined}
      >
        {column.key === 'name' ? <bdi>{tensor.name}</bdi> : column.text(tensor)}
      </td>
    ))}
  </tr>
);

interface HeadingProps {
  readonly column: Column;
  readonly sorting: Sorting;
  sort(next: Sorting): void;
}

function Heading({ column: { key, title, number }, sorting, sort }: HeadingProps) {
  const sorted = sorting.key === key;
  return (
    <th
      scope="col"
      class={`column-${key}${number ? ' number' : ''}`}
      aria-sort={sorted ? (sorting.descending ? 'descending' : 'ascending') : 'none'}
    >
      <button type="button" onClick={() => sort({ key, descending: sorted ? !sorting.descending : number && key !== 'offset' })}>
        {title}
        {sorted && <i class={`codicon codicon-arrow-${sorting.descending ? 'down' : 'up'}`} aria-hidden="true" />}
      </button>
    </th>
  );
}
