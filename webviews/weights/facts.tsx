import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import { many } from '../charts/numbers.js';
import { flatten } from './flatten.js';
import { Search } from './tensors.js';

export interface FactsTableProps {
  readonly value: Readonly<Record<string, unknown>>;
  readonly label: string;
  /** Said when there is nothing in it. */
  readonly none: string;
}

/** A configuration as dotted names and values, searchable in both. */
export function FactsTable({ value, label, none }: FactsTableProps) {
  const query = useSignal('');
  const facts = useMemo(() => (Object.keys(value).length > 0 ? flatten(value) : []), [value]);
  const wanted = query.value.trim().toLowerCase();
  const shown = wanted ? facts.filter((fact) => `${fact.path} ${fact.value}`.toLowerCase().includes(wanted)) : facts;
  if (facts.length === 0) return <p class="note">{none}</p>;
  return (
    <div class="facts">
      <div class="tensor-tools">
        <Search query={query} placeholder="Name or value" />
        <span class="note">
          {shown.length === facts.length ? many(facts.length, 'value') : `${shown.length} of ${facts.length}`}
        </span>
      </div>
      <table aria-label={label}>
        <tbody>
          {shown.map((fact) => (
            <tr key={fact.path}>
              <th scope="row">{fact.path}</th>
              <td>{fact.value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
