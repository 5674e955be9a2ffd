import { Histogram } from '../charts/histogram.js';
import { compact } from '../charts/numbers.js';
import { ProvenanceLine } from '../frame/provenance.js';
import { Loaded } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { PlainTable } from './plainTable.js';

/** What the blocks of a tensor span, and what block formats would lose of it. */
export function Blocks({ path, tensor }: { readonly path: string; readonly tensor: string }) {
  const found = useRequest('weights/quantisation', { path, tensor }, 80);
  return (
    <Loaded of={found} what="What quantising costs">
      {({ blockSize, stored, ranges, roundTrips, provenance }) => (
        <>
          <h3>
            Largest magnitude of each {stored ? 'stored block' : 'block'} of {blockSize}
          </h3>
          <Histogram
            edges={ranges.edges.data}
            counts={ranges.counts.data}
            label={`Spans of the blocks of ${tensor}`}
            unit="largest magnitude"
          />
          {stored ? (
            <p class="note">
              The file holds this tensor quantised already. Compare it with an unquantised checkpoint to see what that cost.
            </p>
          ) : (
            <>
              <h3>Rounded there and back</h3>
              <PlainTable
                label={`What block formats lose of ${tensor}`}
                columns={['format', 'bits a value', 'largest error', 'RMS error', '‖Â − A‖ / ‖A‖', 'SQNR, dB']}
                rows={roundTrips.map(({ format, bits, max, rms, relative, sqnr }) => [
                  format,
                  bits,
                  compact(max),
                  compact(rms),
                  compact(relative),
                  Number.isFinite(sqnr) ? sqnr.toFixed(1) : 'nothing lost',
                ])}
              />
            </>
          )}
          <ProvenanceLine provenance={provenance} command={{ verb: 'weights', path, options: [tensor] }} />
        </>
      )}
    </Loaded>
  );
}
