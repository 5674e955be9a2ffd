import { useMemo } from 'preact/hooks';
import type { AttentionRow } from '../../server/protocol/attention.js';
import type { TokenInfo } from '../../server/protocol/runs.js';
import { wholeTile } from '../charts/grid.js';
import { Heatmap } from '../charts/heatmap.js';
import { Legend } from '../charts/legend.js';
import { compact } from '../charts/numbers.js';
import { useColour } from '../charts/useColour.js';
import type { Picture } from '../frame/picture.js';
import { hover, select } from '../frame/selection.js';
import { visibleText } from '../frame/tokenText.js';

interface Props {
  readonly picture: Picture;
  readonly tokens: readonly TokenInfo[];
  readonly query: number;
  readonly row: AttentionRow;
}

/** Where in the image the selected token looks; choosing a patch asks the same of it. */
export function OverImage({ picture, tokens, query, row }: Props) {
  const { rows, cols, cells } = picture;
  const tokenOf = useMemo(
    () => new Map(cells.flatMap((cell, token) => (cell === null ? [] : [[cell, token] as const]))),
    [cells],
  );
  const weights = useMemo(
    () => Float32Array.from({ length: rows * cols }, (_, cell) => row.weights.data[tokenOf.get(cell) ?? -1] ?? 0),
    [row, tokenOf, rows, cols],
  );
  const tiles = useMemo(() => [wholeTile(rows, cols, weights)], [rows, cols, weights]);
  const colour = useColour([weights], { kind: 'sequential' });
  const at = cells[query] ?? null;
  const others = cells.flatMap((cell, token) => (cell === null ? [token] : []));
  const text = (token: number) => (tokens[token] ? visibleText(tokens[token]) : String(token));
  const select_ = (cell: { readonly row: number; readonly col: number }) => {
    const token = tokenOf.get(cell.row * cols + cell.col);
    if (token !== undefined) select({ token });
  };
  return (
    <section class="over-image" aria-label={`Where ${text(query)} looks in the image`}>
      <h2>
        <code>{text(query)}</code> looks at
      </h2>
      <Heatmap
        rows={rows}
        cols={cols}
        tiles={tiles}
        scale={colour.scale}
        under={picture.canvas}
        label={`Weights of query ${text(query)} over the image`}
        rowName="row"
        colName="column"
        cell={64}
        height={280}
        describe={(cell, value) => `patch ${cell.row},${cell.col}: ${compact(value)}`}
        selected={at === null ? null : { row: Math.floor(at / cols), col: at % cols }}
        onSelect={select_}
        onHover={(cell) => {
          hover.value = cell ? (tokenOf.get(cell.row * cols + cell.col) ?? null) : null;
        }}
      />
      <Legend colour={colour} unit="weight" />
      {others.map((token) => (
        <p key={token} class="quiet">
          {`${text(token)} is no patch and gets ${compact(row.weights.data[token] ?? 0)}. `}
          {token !== query && (
            <button type="button" class="link" onClick={() => select({ token })}>
              {`Where does ${text(token)} look?`}
            </button>
          )}
        </p>
      ))}
    </section>
  );
}
