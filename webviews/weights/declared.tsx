import { useSignal } from '@preact/signals';
import { keepsText } from '../../server/protocol/keeps.js';
import { attends, type CheckpointSummary, type LayerSummary } from '../../server/protocol/models.js';
import { bytes, shape } from '../charts/numbers.js';
import { bytesAt, type LayerRun, runsOf, totalBytesAt } from './memory.js';
import { PlainTable } from './plainTable.js';

/** What each block keeps between tokens, and what that costs after T of them. */
export function DeclaredState({ summary }: { readonly summary: CheckpointSummary }) {
  const tokens = useSignal(4096);
  if (summary.layers.length === 0)
    return (
      <p class="note">
        {summary.architecture === null
          ? 'Known only for architectures that Model Lab can run: the weights alone do not say what is kept between tokens.'
          : 'Not declared: its graph is asked when it runs. Prompt it, then see KV cache and State.'}
      </p>
    );
  const at = tokens.value;
  return (
    <div class="facts">
      <div class="tensor-tools">
        <label class="number-field">
          After T =
          <input
            type="number"
            min={1}
            value={at}
            onInput={({ currentTarget }) => {
              if (currentTarget.valueAsNumber >= 1) tokens.value = Math.floor(currentTarget.valueAsNumber);
            }}
          />
          tokens
        </label>
        <span>
          <strong>{bytes(totalBytesAt(summary.layers, at))}</strong> in fp32
        </span>
      </div>
      <table class="declared" aria-label="Declared state by layer">
        <thead>
          <tr>
            <th scope="col">Layers</th>
            <th scope="col">Mixer</th>
            <th scope="col">State</th>
            <th scope="col">Shape</th>
            <th scope="col" class="number">
              Fixed
            </th>
            <th scope="col" class="number">
              A token
            </th>
            <th scope="col" class="number">
              At T, a layer
            </th>
          </tr>
        </thead>
        <tbody>
          {runsOf(summary.layers).flatMap((run) =>
            run.layer.state.map((_, index) => <StateRow key={`${run.first} ${index}`} run={run} index={index} tokens={at} />),
          )}
        </tbody>
      </table>
    </div>
  );
}

function StateRow({
  run: { first, last, layer },
  index,
  tokens,
}: {
  readonly run: LayerRun;
  readonly index: number;
  readonly tokens: number;
}) {
  const state = layer.state[index];
  if (!state) return null;
  return (
    <tr>
      {index === 0 && (
        <>
          <th scope="rowgroup" rowSpan={layer.state.length}>
            {first === last ? first : `${first}–${last}`}
          </th>
          <td rowSpan={layer.state.length}>{mixerOf(layer)}</td>
        </>
      )}
      <td>{state.name}</td>
      <td>
        {shape(state.shape)}
        {state.keeps !== null && ` (keeps ${keepsText(state.keeps)})`}
      </td>
      <td class="number">{state.bytesFixed > 0 ? bytes(state.bytesFixed) : '–'}</td>
      <td class="number">{state.bytesPerToken > 0 ? bytes(state.bytesPerToken) : '–'}</td>
      <td class="number">{bytes(bytesAt(state, tokens))}</td>
    </tr>
  );
}

function mixerOf(layer: LayerSummary): string {
  const { mixer, heads, kvHeads, headDim, window, chunk } = layer;
  if (!attends(layer)) return heads > 1 ? `${mixer}, ${heads} heads of ${headDim}` : mixer;
  const shared = kvHeads === heads ? '' : `, ${kvHeads} KV heads`;
  return `${mixer === 'attention' ? '' : `${mixer} and `}attention, ${heads} heads of ${headDim}${shared}${window === null ? '' : `, window ${window}`}${chunk === undefined ? '' : `, in chunks of ${chunk}`}`;
}

export const Probes = ({ probes }: { readonly probes: readonly string[] }) =>
  probes.length === 0 ? (
    <p class="note">Known only for architectures that Model Lab can run.</p>
  ) : (
    <ul class="probes" aria-label="Probes">
      {probes.map((probe) => (
        <li key={probe}>{probe}</li>
      ))}
    </ul>
  );

/** What the model is given and what it says, by name. */
export function Ends({ summary: { inputs, outputs } }: { readonly summary: CheckpointSummary }) {
  if (inputs.length === 0) return <p class="note">Known only for architectures that Model Lab can run.</p>;
  const sizes = (all: readonly (number | string)[] | null) => (all === null ? 'any' : `[${all.join(', ')}]`);
  return (
    <div class="facts">
      <PlainTable
        label="Inputs"
        columns={['Input', 'Type', 'Sizes', '']}
        rows={inputs.map(({ name, dtype, shape: dims, optional }) => [
          name,
          dtype,
          sizes(dims),
          optional ? 'made when not given' : '',
        ])}
      />
      <PlainTable label="Outputs" columns={['Output']} rows={outputs.map((name) => [name])} />
    </div>
  );
}
