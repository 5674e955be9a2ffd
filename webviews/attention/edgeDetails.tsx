import type { TokenInfo } from '../../server/protocol/runs.js';
import { Bars } from '../charts/bars.js';
import { Dropdown } from '../controls/controls.js';
import { Failed } from '../frame/states.js';
import { visibleText } from '../frame/tokenText.js';
import type { Edges, LayerEdge } from './useEdges.js';

export type Scope = 'none' | 'layer' | 'all';
export const isScope = (value: unknown): value is Scope => value === 'none' || value === 'layer' || value === 'all';

interface Props {
  readonly tokens: readonly TokenInfo[];
  readonly layer: number;
  readonly found: Edges;
  readonly scope: Scope;
  onScope(scope: Scope): void;
  onEdge(edge: LayerEdge): void;
}

/** What is read most over all heads: where to begin when nothing is selected. */
export function EdgeDetails({ tokens, layer, found, scope, onScope, onEdge }: Props) {
  const text = (index: number) => `${index} ${tokens[index] ? visibleText(tokens[index]) : ''}`;
  const shown = found.edges;
  return (
    <section class="edge-details" aria-label="Heaviest reads" aria-busy={found.done < found.total && !found.error}>
      <h2>Heaviest reads</h2>
      <Dropdown
        label="Over"
        labelled
        value={scope}
        options={[
          { value: 'none', text: 'do not look' },
          { value: 'layer', text: `all heads of layer ${layer}` },
          { value: 'all', text: 'all heads of all layers' },
        ]}
        onChange={onScope}
      />
      {shown.length > 0 && (
        <Bars
          label="Heaviest reads by weight"
          full={1}
          bars={shown.map(({ layer: of, head, query, key, weight }) => ({
            label: `${of}.${head}: ${text(query)} ← ${text(key)}`,
            title: `head ${of}.${head}: token ${text(query)} reads token ${text(key)}`,
            value: weight,
            text: weight.toFixed(3),
          }))}
          onSelect={(index) => {
            const edge = shown[index];
            if (edge) onEdge(edge);
          }}
        />
      )}
      {found.error ? <Failed error={found.error} /> : <p class="quiet">{note(found, scope)}</p>}
    </section>
  );
}

function note({ done, total, progress, edges }: Edges, scope: Scope): string {
  const what = 'Of other tokens than itself and the first one.';
  if (scope === 'none') return 'Which token reads which most, over all heads at once.';
  if (done === total && edges.length === 0) return 'No token reads another one.';
  const layers = total > 1 && done < total ? ` ${done} of ${total} layers.` : '';
  return `${what}${layers}${progress ? ` ${progress.what}: ${progress.done} of ${progress.total} queries.` : ''}`;
}
