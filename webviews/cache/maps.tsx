import { useMemo } from 'preact/hooks';
import type { CacheLayer, CacheMap, ReceivedAttention } from '../../server/protocol/inspect.js';
import type { TokenInfo } from '../../server/protocol/runs.js';
import { type Cell, wholeTile } from '../charts/grid.js';
import { Heatmap } from '../charts/heatmap.js';
import { Legend } from '../charts/legend.js';
import { exact } from '../charts/numbers.js';
import { tokenColumns } from '../charts/tokenColumns.js';
import { useColour } from '../charts/useColour.js';
import { GUTTER } from '../charts/vector.js';
import { reveal } from '../frame/axis.js';
import { hover, select, selection } from '../frame/selection.js';
import { percent, visibleText } from '../frame/tokenText.js';
import { rowNames } from './rowNames.js';
import { useTokenCursor } from './tokenCursor.js';

interface Shared {
  readonly tokens: readonly TokenInfo[];
  readonly layer: CacheLayer;
}

const named = (tokens: readonly TokenInfo[], index: number): string => {
  const token = tokens[index];
  return token ? `token ${index} “${visibleText(token)}”` : `token ${index}`;
};

const limit = ({ window, chunk }: CacheLayer): string =>
  chunk === null ? `window of ${window} tokens` : `chunk of ${chunk} tokens`;

/** Norm of what each KV head keeps for each position, in line with the strip. */
export function NormMap({ map, state, tokens, layer }: Shared & { readonly map: CacheMap; readonly state: string }) {
  const { first, norms } = map;
  const [rows = 0, cols = 0] = norms.shape;
  const letter = rowNames(state).short;
  const readers = layer.heads / layer.kvHeads;
  const kvHead = Math.min(rows - 1, Math.floor(selection.value.head / readers));
  const colour = useColour([norms.data], { kind: 'sequential' });
  const tiles = useMemo(() => [{ ...wholeTile(rows, cols, norms.data), col0: first, col1: first + cols }], [norms, first]);
  const cursor = useTokenCursor(0, first + cols, kvHead);
  const token = selection.value.token;
  return (
    <section class="token-map">
      <header class="picture-head">
        <h2>{letter} norm, KV heads × positions</h2>
        <Legend colour={colour} unit="L2 norm" />
      </header>
      <Heatmap
        rows={rows}
        cols={first + cols}
        tiles={tiles}
        scale={colour.scale}
        label={`L2 norm of ${letter} per KV head and position, layer ${layer.layer}`}
        rowName="KV head"
        colName="position"
        rowLabel={(row) => `${letter}${row}`}
        shape="strip"
        height={Math.min(200, Math.max(24, rows * 16))}
        columns={{ ...tokenColumns(tokens.length), gutter: GUTTER }}
        cursor={cursor}
        selected={token !== null && token >= first && token < first + cols ? { row: kvHead, col: token } : null}
        absent="no longer kept"
        describe={({ row, col }, value) => `${letter} head ${row}, ${named(tokens, col)}: norm ${exact(value)}`}
        onHover={(cell) => {
          hover.value = cell?.col ?? null;
        }}
        onSelect={({ row, col }) => select({ token: col, head: row * readers })}
      />
      {first > 0 && (
        <p class="note">
          Positions 0 to {first - 1} left the {limit(layer)} and are no longer kept.
          {cols > 0 && (
            <button type="button" class="link" onClick={() => reveal(tokens.length - 1, tokens.length)}>
              Show those that are
            </button>
          )}
        </p>
      )}
    </section>
  );
}

/** How much later queries look at each position: sinks stand out as bright columns. */
export function Received({ received, tokens, layer }: Shared & { readonly received: ReceivedAttention }) {
  const { data, shape } = received.received;
  const [rows = 0, cols = 0] = shape;
  const colour = useColour([data], { kind: 'sequential', settings: { log: true } });
  const tiles = useMemo(() => [wholeTile(rows, cols, data)], [received]);
  const head = Math.min(rows - 1, selection.value.head);
  const cursor = useTokenCursor(0, cols, head);
  const token = selection.value.token;
  if (cols < 2) return <p class="note">No later token reads this one.</p>;
  return (
    <section class="token-map">
      <header class="picture-head">
        <h2>Attention received, query heads × positions</h2>
        <Legend colour={colour} unit="mean weight from later tokens" />
      </header>
      <Heatmap
        rows={rows}
        cols={cols}
        tiles={tiles}
        scale={colour.scale}
        label={`Mean attention that later queries give to each position, layer ${layer.layer}`}
        rowName="query head"
        colName="position"
        rowLabel={(row) => `h${row}`}
        shape="strip"
        height={Math.min(220, Math.max(24, rows * 14))}
        columns={{ ...tokenColumns(tokens.length), gutter: GUTTER }}
        cursor={cursor}
        selected={token !== null && token < cols ? { row: head, col: token } : null}
        describe={({ row, col }: Cell, value: number) =>
          col === cols - 1
            ? `no token comes after ${named(tokens, col)}`
            : `query head ${row} gives ${named(tokens, col)} ${percent(value)} on average`
        }
        onHover={(cell) => {
          hover.value = cell?.col ?? null;
        }}
        onSelect={({ row, col }) => select({ token: col, head: row })}
      />
      <Sinks received={received} tokens={tokens} />
    </section>
  );
}

/** Positions that get most, over all heads. */
function Sinks({ received, tokens }: { readonly received: ReceivedAttention; readonly tokens: readonly TokenInfo[] }) {
  const followers = Math.min(FOLLOWERS, Math.floor(tokens.length / 2));
  const most = useMemo(() => strongest(received, followers), [received, followers]);
  return (
    <p class="note">
      Most over all heads, of those that {followers} or more tokens follow:
      {most.map(({ token, mean }) => (
        <button key={token} type="button" class="link" onClick={() => select({ token })}>
          {named(tokens, token)} {percent(mean)}
        </button>
      ))}
    </p>
  );
}

/** A mean over fewer later tokens says little: the last but one token has a single reader. */
const FOLLOWERS = 8;

function strongest({ received: { shape, data } }: ReceivedAttention, followers: number) {
  const [heads = 0, count = 0] = shape;
  const means = Array.from({ length: count - followers }, (_, token) => {
    let sum = 0;
    for (let head = 0; head < heads; head++) sum += data[head * count + token] ?? 0;
    return { token, mean: sum / heads };
  });
  return means.sort((a, b) => b.mean - a.mean).slice(0, 3);
}
