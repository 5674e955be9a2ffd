import { useMemo } from 'preact/hooks';
import type { StateSeries, StateStep } from '../../server/protocol/inspect.js';
import { compact } from '../charts/numbers.js';
import { Series } from '../charts/series.js';
import type { Line } from '../charts/seriesDrawing.js';
import { tokenColumns } from '../charts/tokenColumns.js';
import { Vector } from '../charts/vector.js';
import { hover, select } from '../frame/selection.js';
import type { StateShape } from './equation.js';

/** Norm, write and decay over the tokens, in line with the strip. */
export function History({ series, token }: { readonly series: StateSeries; readonly token: number }) {
  const lines = useMemo(() => {
    const line = (label: string, values: ArrayLike<number> | undefined): Line[] | null =>
      values ? [{ label, values, text: compact }] : null;
    return {
      norm: line('norm', series.norm.data),
      write: line('write', series.write?.data),
      decay: line('decay', series.decay?.data),
    };
  }, [series]);
  const shared = overTokens(series.norm.data.length, token);
  return (
    <div class="history">
      {lines.norm && <Series {...shared} label="Norm of the state (Frobenius)" lines={lines.norm} />}
      {lines.write && <Series {...shared} label="Norm of what each token wrote" lines={lines.write} />}
      {lines.decay && <Series {...shared} label="Mean decay factor (1 keeps all, 0 forgets)" lines={lines.decay} range={UNIT} />}
    </div>
  );
}

const UNIT = [0, 1] as const;

/** What all lines over the tokens share. */
const overTokens = (tokens: number, selected: number) => ({
  columns: tokenColumns(tokens),
  hovered: hover.value,
  selected,
  height: 44,
  onHover: (token: number | null) => {
    hover.value = token;
  },
  onSelect: (token: number) => select({ token }),
});

interface RanksProps {
  readonly ranks: ArrayLike<number>;
  readonly shape: StateShape;
  readonly token: number;
}

/** Effective rank after every token, which takes longer to compute than the rest. */
export function Ranks({ ranks, shape, token }: RanksProps) {
  const most = Math.min(shape.rows, shape.cols);
  const lines = useMemo(
    () => [{ label: 'rank', values: ranks, text: (value: number) => `${compact(value)} of ${most}` }],
    [ranks, most],
  );
  return (
    <div class="history">
      <Series {...overTokens(ranks.length, token)} label={`Effective rank, of ${most}`} lines={lines} />
    </div>
  );
}

/** How long each channel remembers at this token's decay. */
export function Horizon({ step, shape }: { readonly step: StateStep; readonly shape: StateShape }) {
  if (!step.horizon) return null;
  const name = step.horizonOf === 'row' ? shape.rowName : shape.colName;
  const forever = step.horizon.data.filter((value) => value === Infinity).length;
  return (
    <section>
      <h2>Memory horizon by {name}</h2>
      <p class="note">
        tokens until it has decayed to 1/e at the decay of token {step.token}, log
        {forever > 0 && ` · ${forever} of ${step.horizon.data.length} do not decay`}
      </p>
      <Vector
        values={step.horizon.data}
        label={`Memory horizon in tokens by ${name}`}
        itemName={name}
        log
        endless
        describe={(row, value) =>
          value === Infinity ? `${name} ${row}: does not decay at this token` : `${name} ${row}: ${compact(value)} tokens`
        }
      />
    </section>
  );
}
