import { useSignal } from '@preact/signals';
import type { AttentionCell } from '../../server/protocol/attention.js';
import type { TokenInfo } from '../../server/protocol/runs.js';
import { compact } from '../charts/numbers.js';
import { Vector } from '../charts/vector.js';
import { visibleText } from '../frame/tokenText.js';

interface Props {
  readonly tokens: readonly TokenInfo[];
  readonly query: number;
  readonly selectedKey: number;
  readonly cell: AttentionCell;
}

/** How one weight comes about: every number of the formula, and the products it sums. */
export function CellDetails({ tokens, query, selectedKey, cell }: Props) {
  const cursor = useSignal<number | null>(null);
  const open = useSignal(true);
  const text = (index: number) => (tokens[index] ? visibleText(tokens[index]) : String(index));
  const { q, k, products } = cell;
  const size = q.data.length;
  const full = Math.max(...Array.from(q.data, Math.abs), ...Array.from(k.data, Math.abs));
  return (
    <section class="cell-details" aria-label={`Weight of key ${selectedKey} for query ${query}`}>
      <h2>
        <code>{text(query)}</code> reads <code>{text(selectedKey)}</code>
      </h2>
      <table class="formula">
        <tbody>
          {steps(cell).map(({ name, value, note }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{value}</td>
              <td class="quiet">{note}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <button
        type="button"
        class="link"
        aria-expanded={open.value}
        onClick={() => {
          open.value = !open.value;
        }}
      >
        <i class={`codicon codicon-chevron-${open.value ? 'down' : 'right'}`} aria-hidden="true" /> q, k and their products by
        dimension
      </button>
      {open.value && (
        <>
          <Dimensions label="q · k by dimension" values={products.data} cursor={cursor} describe={(e) => equation(cell, e)} />
          <Dimensions label={`q of ${text(query)}`} values={q.data} full={full} cursor={cursor} />
          <Dimensions label={`k of ${text(selectedKey)}`} values={k.data} full={full} cursor={cursor} />
          <p class="quiet">{`${size} dimensions; the ${strongest(products.data)} largest products make half of the sum of magnitudes.`}</p>
        </>
      )}
    </section>
  );
}

interface DimensionsProps {
  readonly label: string;
  readonly values: Float32Array;
  readonly full?: number;
  readonly cursor: Parameters<typeof Vector>[0]['cursor'];
  describe?(index: number): string;
}

const Dimensions = ({ label, values, full, cursor, describe }: DimensionsProps) => (
  <div class="dimensions">
    <span class="quiet">{label}</span>
    <Vector
      values={values}
      label={label}
      itemName="dimension"
      height={44}
      {...(full !== undefined && { full })}
      {...(cursor && { cursor })}
      {...(describe && { describe })}
    />
  </div>
);

const equation = ({ q, k, products }: AttentionCell, e: number): string =>
  `dimension ${e}: ${compact(q.data[e] ?? 0)} × ${compact(k.data[e] ?? 0)} = ${compact(products.data[e] ?? 0)}`;

/** How few dimensions carry half of Σ|q_e k_e|. */
function strongest(products: Float32Array): number {
  const sizes = Array.from(products, Math.abs).sort((a, b) => b - a);
  const half = sizes.reduce((sum, size) => sum + size, 0) / 2;
  let sum = 0;
  return Math.max(
    1,
    sizes.findIndex((size) => {
      sum += size;
      return sum >= half;
    }) + 1,
  );
}

interface Step {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

const MASKS = {
  visible: 'the key is not later than the query',
  causal: 'the key comes after the query: weight 0',
  window: 'the key has left the sliding window: weight 0',
  unselected: 'the key is of a block that was not selected: weight 0',
  chunk: 'the key is of an earlier chunk: weight 0',
} as const;

function steps({ dot, content, scale, softcap, mask, score, logSumExp, weight }: AttentionCell): Step[] {
  const scaled = dot * scale;
  const inverse = 1 / (scale * scale);
  const root = Math.abs(inverse - Math.round(inverse)) < 1e-3 * inverse ? `1/√${Math.round(inverse)}` : compact(scale);
  return [
    {
      name: 'q · k',
      value: compact(dot),
      note:
        content === null
          ? ''
          : `= content ${compact(content)} ${dot - content < 0 ? '−' : '+'} position ${compact(Math.abs(dot - content))}`,
    },
    { name: '× scale', value: compact(scaled), note: `× ${root}` },
    ...(softcap === null
      ? []
      : [
          {
            name: 'soft cap',
            value: compact(score),
            note: `${compact(softcap)} · tanh(${compact(scaled)} / ${compact(softcap)})`,
          },
        ]),
    { name: 'mask', value: mask === 'visible' ? compact(score) : '−∞', note: MASKS[mask] },
    {
      name: 'softmax',
      value: compact(weight),
      note:
        mask === 'visible' ? `exp(${compact(score)} − ${compact(logSumExp)}); the row's log Σ exp is ${compact(logSumExp)}` : '',
    },
  ];
}
