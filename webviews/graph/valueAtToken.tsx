import { useMemo } from 'preact/hooks';
import type { GraphValueAt, OutlinePart, SegmentGraph } from '../../server/protocol/graph.js';
import { wholeTile } from '../charts/grid.js';
import { Heatmap } from '../charts/heatmap.js';
import { Legend } from '../charts/legend.js';
import { exact, shape } from '../charts/numbers.js';
import { useColour } from '../charts/useColour.js';
import { Loaded } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { probeOf } from './norms.js';
import type { At } from './useGraph.js';

const SIDE = 64;

interface Props {
  readonly part: OutlinePart;
  readonly graph: SegmentGraph;
  readonly value: number;
  readonly at: Pick<At, 'run' | 'token' | 'where'>;
}

/** A value while the model reads the selected token: its statistics and a small picture. */
export function ValueAtToken({ part, graph, value, at }: Props) {
  const probe = probeOf(part, graph, value);
  const asked = useRequest('graph/value', { run: at.run, token: at.token, probe, side: SIDE }, 60);
  return (
    <Loaded of={asked} what={`The value ${at.where}`}>
      {(found) => <Value found={found} where={at.where} />}
    </Loaded>
  );
}

function Value({ found, where }: { readonly found: GraphValueAt; readonly where: string }) {
  const { stats, picture } = found;
  const [rows = 1, cols = 1] = picture.shape;
  const colour = useColour([picture.data], { kind: stats.min < 0 ? 'diverging' : 'sequential', settings: { clip: 1 } });
  const tiles = useMemo(() => [wholeTile(rows, cols, picture.data)], [picture]);
  const facts = [
    ['min', stats.min],
    ['max', stats.max],
    ['mean', stats.mean],
    ['‖·‖', stats.norm],
  ] as const;
  const size = found.shape.reduce((a, b) => a * b, 1);
  return (
    <>
      <dl class="statistics" aria-label={`Value ${where}`}>
        {facts.map(([name, number]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{exact(number)}</dd>
          </div>
        ))}
        {stats.notFinite > 0 && (
          <div>
            <dt>not finite</dt>
            <dd>{stats.notFinite.toLocaleString('en')}</dd>
          </div>
        )}
      </dl>
      {size > 1 && (
        <>
          <Legend colour={colour} unit="value" adjustable={false} />
          <Heatmap
            rows={rows}
            cols={cols}
            tiles={tiles}
            scale={colour.scale}
            label={`Value ${where}`}
            rowName="row"
            colName="column"
            height={rows === 1 ? 16 : 160}
            shape={rows === 1 ? 'strip' : 'square'}
            cell={12}
          />
        </>
      )}
      <p class="note">
        <span>
          {where}: {shape(found.shape)}
          {picture.data.length < size && `, each cell the value of largest magnitude of ${Math.ceil(size / picture.data.length)}`}
        </span>
      </p>
    </>
  );
}
