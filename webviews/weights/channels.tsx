import type { Channels as Side } from '../../server/protocol/weights.js';
import { compact, exact } from '../charts/numbers.js';
import { Vector } from '../charts/vector.js';
import { ProvenanceLine } from '../frame/provenance.js';
import { Loaded } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { PlainTable } from './plainTable.js';

/** Outliers told at first. */
const FIRST = 8;

/** Rows and columns that are larger than the others: what quantisation and training stumble over. */
export function Channels({ path, tensor }: { readonly path: string; readonly tensor: string }) {
  const found = useRequest('weights/channels', { path, tensor }, 80);
  return (
    <Loaded of={found} what="The norms of rows and columns">
      {({ rows, cols, provenance }) => (
        <>
          <OneSide side={rows} name="row" label={`Norms of the rows of ${tensor}`} />
          <OneSide side={cols} name="column" label={`Norms of the columns of ${tensor}`} />
          <ProvenanceLine provenance={provenance} command={{ verb: 'weights', path, options: [tensor] }} />
        </>
      )}
    </Loaded>
  );
}

function OneSide({ side, name, label }: { readonly side: Side; readonly name: string; readonly label: string }) {
  const { norms, median, outliers, outlierCount } = side;
  const count = norms.data.length.toLocaleString('en');
  return (
    <section class="channels" aria-label={label}>
      <h3>
        Norm by {name} · median {compact(median)} ·{' '}
        {outlierCount === 0 ? 'none stands out' : `${outlierCount.toLocaleString('en')} of ${count} stand out`}
      </h3>
      <Vector values={norms.data} label={label} itemName={name} magnitudes height={72} />
      {outliers.length > 0 && (
        <PlainTable
          label={`Each ${name} that stands out`}
          columns={[name, 'norm', 'largest', 'robust z']}
          rows={outliers.slice(0, FIRST).map(({ index, norm, largest, z }) => [index, exact(norm), exact(largest), z.toFixed(1)])}
        />
      )}
      {outlierCount > FIRST && <p class="note">The {FIRST} farthest from the median; z counts robust standard deviations.</p>}
    </section>
  );
}
