import type { AttentionRow } from '../../server/protocol/attention.js';
import type { TokenInfo } from '../../server/protocol/runs.js';
import { Bars } from '../charts/bars.js';
import { compact } from '../charts/numbers.js';
import { visibleText } from '../frame/tokenText.js';

interface Props {
  readonly tokens: readonly TokenInfo[];
  readonly query: number;
  readonly row: AttentionRow;
  readonly selectedKey: number | null;
  onKey(key: number): void;
}

const SHOWN = 8;

/** One row of the map: which tokens the query reads, largest weight first, and what is left over. */
export function RowDetails({ tokens, query, row, selectedKey, onKey }: Props) {
  const top = row.top.slice(0, SHOWN);
  const rest = 1 - top.reduce((sum, { weight }) => sum + weight, 0);
  const others = row.weights.data.length - top.length;
  const label = (index: number) => `${index} ${tokens[index] ? visibleText(tokens[index]) : ''}`;
  return (
    <section class="row-details" aria-label={`Row ${query}`}>
      <h2>
        <span>
          token {query} “{tokens[query] ? visibleText(tokens[query]) : ''}” reads
        </span>
        <span class="quiet">entropy {row.entropy.toFixed(2)} bits</span>
      </h2>
      <Bars
        label="Keys by weight"
        full={1}
        bars={top.map(({ token, weight }) => ({
          label: label(token),
          value: weight,
          text: weight < 5e-4 ? compact(weight) : weight.toFixed(3),
        }))}
        selected={top.findIndex(({ token }) => token === selectedKey)}
        onSelect={(index) => {
          const key = top[index]?.token;
          if (key !== undefined) onKey(key);
        }}
      />
      {others > 0 && <p class="quiet">{`${others} other ${others === 1 ? 'key' : 'keys'}: ${compact(Math.max(0, rest))}`}</p>}
    </section>
  );
}
