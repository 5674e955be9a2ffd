import type { AttentionCell, AttentionRow } from '../../server/protocol/attention.js';
import type { TokenInfo } from '../../server/protocol/runs.js';
import type { Loadable } from '../frame/loadable.js';
import { activePicture } from '../frame/picture.js';
import { Loaded } from '../frame/states.js';
import { CellDetails } from './cellDetails.js';
import { OverImage } from './overImage.js';
import { RowDetails } from './rowDetails.js';

interface Props {
  readonly tokens: readonly TokenInfo[];
  /** layer.head */
  readonly name: string;
  readonly query: number | null;
  readonly selectedKey: number | null;
  readonly row: Loadable<AttentionRow>;
  readonly cell: Loadable<AttentionCell>;
  onKey(key: number): void;
}

/** The selected row, and below it the selected cell. */
export function Details({ tokens, name, query, selectedKey, row, cell, onKey }: Props) {
  return (
    <aside class="details">
      {query === null ? (
        <p class="quiet">Select a token in the strip, or a cell of the map, to see which tokens it reads and why.</p>
      ) : (
        <Loaded of={row} what={`Row ${query} of head ${name}`}>
          {(value) => (
            <>
              {activePicture.value && <OverImage picture={activePicture.value} tokens={tokens} query={query} row={value} />}
              <RowDetails tokens={tokens} query={query} row={value} selectedKey={selectedKey} onKey={onKey} />
            </>
          )}
        </Loaded>
      )}
      {query !== null && selectedKey !== null && (
        <Loaded of={cell} what={`The products of query ${query} and key ${selectedKey}`}>
          {(value) => <CellDetails tokens={tokens} query={query} selectedKey={selectedKey} cell={value} />}
        </Loaded>
      )}
    </aside>
  );
}
