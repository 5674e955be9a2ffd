import type { TensorPicture, TensorStats } from '../../server/protocol/inspect.js';
import type { TensorSummary } from '../../server/protocol/models.js';
import { bytes, exact, shape } from '../charts/numbers.js';
import { Tabs } from '../controls/controls.js';
import { ProvenanceLine } from '../frame/provenance.js';
import { Loaded } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { persisted } from '../host.js';
import { Blocks } from './blocks.js';
import { Channels } from './channels.js';
import { MatrixPicture } from './matrixPicture.js';
import { Product } from './product.js';
import { Spectrum } from './spectrum.js';

const GRID = 256;
const BINS = 80;

const PARTS = {
  values: 'Values',
  spectrum: 'Singular values',
  channels: 'Channels',
  blocks: 'Quantisation',
  product: 'y = A x',
} as const;
type Part = keyof typeof PARTS;
const isPart = (value: unknown): value is Part => typeof value === 'string' && Object.hasOwn(PARTS, value);
const part = persisted<Part>('tensorPart', 'values', isPart);

/** One tensor: its values, its singular values, channels that stand out, what quantising it costs, and what it does to a token. */
export function TensorDetail({ path, tensor }: { readonly path: string; readonly tensor: TensorSummary }) {
  return (
    <section class="tensor-detail" aria-label={tensor.name}>
      <h2 class="tensor-title">{tensor.name}</h2>
      <p class="note">
        {tensor.dtype} · {shape(tensor.shape)} · {bytes(tensor.bytes)} at byte {tensor.offset.toLocaleString('en')}
      </p>
      <Tabs
        label={`Ways to look at ${tensor.name}`}
        value={part.value}
        tabs={Object.entries(PARTS).map(([value, text]) => ({ value: value as Part, text }))}
        onChange={(value) => {
          part.value = value;
        }}
      />
      <Shown path={path} tensor={tensor.name} />
    </section>
  );
}

function Shown(props: { readonly path: string; readonly tensor: string }) {
  switch (part.value) {
    case 'values':
      return <Picture {...props} />;
    case 'spectrum':
      return <Spectrum {...props} />;
    case 'channels':
      return <Channels {...props} />;
    case 'blocks':
      return <Blocks {...props} />;
    case 'product':
      return <Product {...props} />;
  }
}

/** Every region of it at once, how its values spread, and what is wrong with them. */
function Picture({ path, tensor }: { readonly path: string; readonly tensor: string }) {
  const picture = useRequest('weights/tensor', { path, tensor, rows: GRID, cols: GRID, bins: BINS }, 80);
  return (
    <Loaded of={picture} what={`Values of ${tensor}`}>
      {(value) => (
        <>
          <Statistics picture={value} />
          <MatrixPicture picture={value} name={tensor} unit="weight" height={340} />
          <ProvenanceLine provenance={value.provenance} command={{ verb: 'weights', path, options: [tensor] }} />
        </>
      )}
    </Loaded>
  );
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
