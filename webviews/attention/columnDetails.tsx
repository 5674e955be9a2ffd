import type { AttentionColumn } from '../../server/protocol/attention.js';
import type { TokenInfo } from '../../server/protocol/runs.js';
import { Bars } from '../charts/bars.js';
import { compact } from '../charts/numbers.js';
import { visibleText } from '../frame/tokenText.js';

interface Props {
  readonly tokens: readonly TokenInfo[];
  readonly token: number;
  readonly column: AttentionColumn;
  onQuery(query: number): void;
}

const SHOWN = 8;

/** One column of the map: which queries read the token, largest weight first. */
export function ColumnDetails({ tokens, token, column, onQuery }: Props) {
  const top = column.top.slice(0, SHOWN);
  const text = (index: number) => `${index} ${tokens[index] ? visibleText(tokens[index]) : ''}`;
  return (
    <section class="column-details" aria-label={`Who reads ${token}`}>
      <h2>
        <span>token {token} is read by</span>
        <span class="quiet">total weight {compact(column.received)}</span>
      </h2>
      <Bars
        label="Queries by weight"
        full={1}
        bars={top.map(({ token: query, weight }) => ({
          label: text(query),
          value: weight,
          text: weight < 5e-4 ? compact(weight) : weight.toFixed(3),
        }))}
        selected={null}
        onSelect={(index) => {
          const query = top[index]?.token;
          if (query !== undefined) onQuery(query);
        }}
      />
    </section>
  );
}
