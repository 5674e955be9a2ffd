import { useMemo } from 'preact/hooks';
import type { TensorPicture, TensorStats } from '../../server/protocol/inspect.js';
import type { TensorSummary } from '../../server/protocol/models.js';
import { type Cell, wholeTile } from '../charts/grid.js';
import { Heatmap } from '../charts/heatmap.js';
import { Histogram } from '../charts/histogram.js';
import { Legend } from '../charts/legend.js';
import { bytes, exact, shape } from '../charts/numbers.js';
import { useColour } from '../charts/useColour.js';
import { Loaded } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';

const GRID = 256;
const BINS = 80;

/** One tensor: every region of it at once, how its values spread, and what is wrong with them. */
export function TensorDetail({ path, tensor }: { readonly path: string; readonly tensor: TensorSummary }) {
  const picture = useRequest('weights/tensor', { path, tensor: tensor.name, rows: GRID, cols: GRID, bins: BINS }, 80);
  return (
    <section class="tensor-detail" aria-label={tensor.name}>
      <h2 class="tensor-title">{tensor.name}</h2>
      <p class="note">
        {tensor.dtype} · {shape(tensor.shape)} · {bytes(tensor.bytes)} at byte {tensor.offset.toLocaleString('en')}
      </p>
      <Loaded of={picture} what={`Values of ${tensor.name}`}>
        {(value) => <Values picture={value} name={tensor.name} />}
      </Loaded>
    </section>
  );
}

function Values({ picture, name }: { readonly picture: TensorPicture; readonly name: string }) {
  const [r = 1, c = 1] = picture.heatmap.shape;
  const colour = useColour([picture.heatmap.data], { kind: 'diverging', settings: { clip: 0.999 } });
  const tiles = useMemo(() => [wholeTile(r, c, picture.heatmap.data)], [picture]);
  const pooled = r < picture.rows || c < picture.cols;
  return (
    <>
      <Statistics picture={picture} />
      <div class="picture-head">
        <h3>
          {picture.rows} × {picture.cols}
          {pooled &&
            `, each cell the value of largest magnitude of ${Math.ceil(picture.rows / r)} × ${Math.ceil(picture.cols / c)}`}
        </h3>
        <Legend colour={colour} unit="weight" />
      </div>
      <Heatmap
        rows={r}
        cols={c}
        tiles={tiles}
        scale={colour.scale}
        label={`Weights of ${name}`}
        rowName="row"
        colName="column"
        rowLabel={(row) => String(Math.floor((row * picture.rows) / r))}
        colLabel={(col) => String(Math.floor((col * picture.cols) / c))}
        height={340}
        cell={24}
        describe={(cell, value) => `${placeOf(cell, picture)}: ${exact(value)}`}
      />
      <Histogram
        edges={picture.histogram.edges.data}
        counts={picture.histogram.counts.data}
        label={`Histogram of ${name}`}
        unit="weight"
      />
    </>
  );
}

/** Rows and columns of the tensor that a cell of its picture stands for. */
function placeOf({ row, col }: Cell, { rows, cols, heatmap }: TensorPicture): string {
  const [r = 1, c = 1] = heatmap.shape;
  const span = (name: string, at: number, of: number, size: number) => {
    const from = Math.floor((at * size) / of);
    const to = Math.max(from, Math.ceil(((at + 1) * size) / of) - 1);
    return from === to ? `${name} ${from}` : `${name}s ${from}–${to}`;
  };
  return `${span('row', row, r, rows)}, ${span('column', col, c, cols)}`;
}

function Statistics({ picture: { stats, sampled, bytesRead } }: { readonly picture: TensorPicture }) {
  return (
    <dl class="statistics">
      {factsOf(stats).map(([name, value, wrong]) => (
        <div key={name} class={wrong ? 'wrong' : undefined}>
          <dt>{name}</dt>
          <dd>
            {wrong && <i class="codicon codicon-warning" aria-hidden="true" />} {value}
          </dd>
        </div>
      ))}
      {sampled && (
        <div>
          <dt>read</dt>
          <dd title="Rows were sampled: the tensor is too large to read whole">{bytes(bytesRead)}, sampled rows</dd>
        </div>
      )}
    </dl>
  );
}

function factsOf({
  min,
  max,
  mean,
  std,
  nan,
  inf,
  zeros,
  count,
}: TensorStats): readonly [name: string, value: string, wrong: boolean][] {
  const share = (part: number) =>
    count > 0 ? `${part.toLocaleString('en')} (${exact(Number(((100 * part) / count).toPrecision(2)))} %)` : '0';
  return [
    ['min', exact(min), false],
    ['max', exact(max), false],
    ['mean', exact(mean), false],
    ['std', exact(std), false],
    ['zeros', share(zeros), false],
    ['NaN', nan === 0 ? '0' : share(nan), nan > 0],
    ['infinite', inf === 0 ? '0' : share(inf), inf > 0],
    ['values', count.toLocaleString('en'), false],
  ];
}
