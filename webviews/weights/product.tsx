import { useSignal } from '@preact/signals';
import type { Direction, MatrixProduct, VocabularyScore } from '../../server/protocol/weights.js';
import { compact, exact } from '../charts/numbers.js';
import { Vector } from '../charts/vector.js';
import { IconButton } from '../controls/controls.js';
import { ProvenanceLine } from '../frame/provenance.js';
import { activeModel, activeRun, select, selection } from '../frame/selection.js';
import { Empty, Loaded } from '../frame/states.js';
import { visibleText } from '../frame/tokenText.js';
import { useRequest } from '../frame/useRequest.js';
import { request } from '../host.js';
import { Fact } from './fact.js';
import { PlainTable } from './plainTable.js';

const TOLD = 12;

/** What a matrix does to the selected token of the run on screen: which singular directions carry its output, and what they read and write. */
export function Product({ path, tensor }: { readonly path: string; readonly tensor: string }) {
  const run = activeRun.value;
  const model = activeModel.value;
  const tokens = run.state === 'ready' && model?.path === path ? run.value.tokenInfos : [];
  const token = Math.min(selection.value.token ?? tokens.length - 1, tokens.length - 1);
  const asked = run.state === 'ready' && tokens.length > 0 ? { run: run.value.id, tensor, token, directions: TOLD } : null;
  const product = useRequest('weights/product', asked, 120);
  if (asked === null)
    return (
      <Empty
        text="Shows what this matrix does to one token of a run of this model: its input x, its output y, and the directions that carry it."
        action={{ label: 'Open this model to prompt it', run: () => request('host/runPath', { path }) }}
      />
    );
  const here = tokens[token];
  return (
    <>
      <div class="product-token">
        <IconButton
          icon="chevron-left"
          label="Previous token"
          disabled={token === 0}
          onClick={() => select({ token: token - 1 })}
        />
        <span>
          token {token} of {tokens.length} <b>{here ? visibleText(here) : ''}</b>
        </span>
        <IconButton
          icon="chevron-right"
          label="Next token"
          disabled={token === tokens.length - 1}
          onClick={() => select({ token: token + 1 })}
        />
      </div>
      <Loaded of={product} what="The product and its directions">
        {(value) => <Shown product={value} run={asked.run} />}
      </Loaded>
    </>
  );
}

function Shown({ product, run }: { readonly product: MatrixProduct; readonly run: string }) {
  const cursor = useSignal<number | null>(null);
  const { rows, cols, x, y, shares, sigma, directions, complete, readsNote, writesNote } = product;
  const half = fewest(shares.data, 0.5);
  return (
    <>
      <dl class="statistics">
        <Fact name="A" value={`${rows} × ${cols}`} />
        <Fact name="‖x‖" value={exact(length(x.data))} />
        <Fact name="‖y‖" value={exact(length(y.data))} />
        <Fact
          name="half of ‖y‖² in"
          value={half === null ? 'more directions than were computed' : `${half} of ${Math.min(rows, cols)} directions`}
        />
      </dl>
      <h3>Share of ‖y‖² by direction, in the order of σ</h3>
      <Vector
        values={shares.data}
        label="Share of the squared norm of y"
        itemName="direction"
        magnitudes
        height={80}
        cursor={cursor}
        describe={(index, share) => `direction ${index}: σ ${exact(sigma.data[index] ?? 0)}, ${percent(share)} of ‖y‖²`}
      />
      <PlainTable
        label="The directions that carry most"
        columns={['direction', 'σ', 'v · x', 'of ‖y‖²', 'reads', 'writes']}
        rows={directions.map((direction) => rowOf(direction))}
      />
      {[!complete && `The ${sigma.data.length} largest directions only.`, readsNote, writesNote].filter(Boolean).map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
      <h3>x, what the matrix is given</h3>
      <Vector values={x.data} label="x" itemName="dimension" height={56} />
      <h3>y = A x</h3>
      <Vector values={y.data} label="y" itemName="dimension" height={56} />
      <ProvenanceLine
        provenance={product.provenance}
        identity={product.identity}
        command={{ run, probes: [product.input, product.output] }}
      />
    </>
  );
}

const rowOf = ({ index, sigma, projection, share, reads, writes }: Direction) => [
  index,
  compact(sigma),
  compact(projection),
  percent(share),
  <Words key="reads" words={reads} />,
  <Words key="writes" words={writes} />,
];

function Words({ words }: { readonly words: readonly VocabularyScore[] | null }) {
  if (words === null) return <span class="note">—</span>;
  return (
    <span class="words">
      {words.slice(0, 6).map(({ id, text, bytes, score }) => (
        <code key={id} title={`token ${id}, ${exact(score)}`}>
          {visibleText({ text, bytes })}
        </code>
      ))}
    </span>
  );
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const length = (values: Float32Array): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));

/** How many of the largest shares make up this much. */
function fewest(shares: Float32Array, wanted: number): number | null {
  let sum = 0;
  for (const [i, share] of shares.toSorted((a, b) => b - a).entries()) {
    sum += share;
    if (sum >= wanted) return i + 1;
  }
  return null;
}
