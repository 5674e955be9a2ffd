import type { ComponentChildren } from 'preact';
import type { TokenInfo } from '../../server/protocol/runs.js';
import { activePicture } from '../frame/picture.js';
import { Loaded } from '../frame/states.js';
import { CellDetails } from './cellDetails.js';
import { ColumnDetails } from './columnDetails.js';
import { OverImage } from './overImage.js';
import { RowDetails } from './rowDetails.js';
import type { Reading } from './useReading.js';

interface Props {
  readonly tokens: readonly TokenInfo[];
  /** layer.head */
  readonly name: string;
  readonly query: number | null;
  readonly selectedKey: number | null;
  readonly reading: Pick<Reading, 'row' | 'column' | 'cell'>;
  /** What is shown while nothing is selected. */
  readonly children: ComponentChildren;
  onQuery(query: number): void;
  onKey(key: number): void;
}

/** The selected row, below it who reads that token, and the selected cell. */
export function Details({ tokens, name, query, selectedKey, reading, children, onQuery, onKey }: Props) {
  const { row, column, cell } = reading;
  return (
    <aside class="details">
      {query === null ? (
        <>
          <p class="quiet">Select a token in the strip, or a cell of the map, to see which tokens it reads and why.</p>
          {children}
        </>
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
      {query !== null && selectedKey === null && (
        <Loaded of={column} what={`Who reads token ${query} in head ${name}`}>
          {(value) => <ColumnDetails tokens={tokens} token={query} column={value} onQuery={onQuery} />}
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
