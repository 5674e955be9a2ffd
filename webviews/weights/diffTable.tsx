import type { TensorDiff } from '../../server/protocol/weights.js';
import { compact } from '../charts/numbers.js';
import './plainTable.css';

export interface DiffTableProps {
  readonly tensors: readonly TensorDiff[];
  readonly selected: string;
  onSelect(name: string): void;
}

/** Tensors by how much they differ; arrow keys walk them. */
export function DiffTable({ tensors, selected, onSelect }: DiffTableProps) {
  const onKeyDown = (event: KeyboardEvent & { readonly currentTarget: HTMLElement }) => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const at = tensors.findIndex(({ name }) => name === selected);
    const next = event.key === 'Home' ? 0 : event.key === 'End' ? tensors.length - 1 : by === 0 ? -1 : Math.max(0, at + by);
    const tensor = tensors[Math.min(next, tensors.length - 1)];
    if (next < 0 || !tensor) return;
    event.preventDefault();
    event.stopPropagation();
    onSelect(tensor.name);
    event.currentTarget.querySelectorAll('tbody tr')[tensors.indexOf(tensor)]?.scrollIntoView({ block: 'nearest' });
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys walk its rows
    <section class="diff-table" aria-label="Tensors by how much they differ" tabIndex={0} onKeyDown={onKeyDown}>
      <table class="plain-table">
        <thead>
          <tr>
            {['tensor', '‖Δ‖ / ‖A‖', 'largest |Δ|', 'cosine', 'changed', 'types'].map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {tensors.map((tensor) => (
            <tr key={tensor.name} aria-selected={tensor.name === selected} onClick={() => onSelect(tensor.name)}>
              <th scope="row">{tensor.name}</th>
              <td class={Number.isNaN(tensor.relative) ? 'wrong' : undefined}>{compact(tensor.relative)}</td>
              <td>{compact(tensor.max)}</td>
              <td>{tensor.cosine.toFixed(5)}</td>
              <td>{((100 * tensor.changed) / Math.max(1, tensor.count)).toFixed(1)} %</td>
              <td>{tensor.dtypes[0] === tensor.dtypes[1] ? tensor.dtypes[0] : tensor.dtypes.join(' → ')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
