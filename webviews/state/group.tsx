import type { Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import type { StateLayer, StateStep } from '../../server/protocol/inspect.js';
import type { RunDetail } from '../../server/protocol/runs.js';
import { compact } from '../charts/numbers.js';
import { Frame } from '../frame/frame.js';
import { movedToken } from '../frame/keys.js';
import { versionOf } from '../frame/liveRuns.js';
import { shownValue } from '../frame/loadable.js';
import { select, selection } from '../frame/selection.js';
import { Loaded } from '../frame/states.js';
import { TokenStrip } from '../frame/tokenStrip.js';
import { visibleText } from '../frame/tokenText.js';
import { useRequest } from '../frame/useRequest.js';
import { Badge } from './badge.js';
import { Equation, type StateShape } from './equation.js';
import { History, Horizon, Ranks } from './history.js';
import { Scrubber, toggle, usePlaying } from './scrubber.js';
import { useStep } from './steps.js';
import { isSum, sumError } from './update.js';

/** Milliseconds by which the lines that are quick to compute go ahead of the ranks. */
const RANKS_LATER = 150;

export interface GroupProps {
  readonly run: RunDetail;
  readonly layer: StateLayer;
  readonly shape: StateShape;
  readonly group: number;
  /** Token whose state is subtracted, when one is. */
  readonly against: Signal<number | null>;
  readonly pickers: ComponentChildren;
  /** Returns whether the key was one of the pickers'. */
  onKey(event: KeyboardEvent): boolean;
}

/** One head, or group of channels, of one recurrent layer: the update at the selected token and its history. */
export function GroupOfLayer({ run, layer, shape, group, against, pickers, onKey }: GroupProps) {
  const { tokens, tokenInfos } = run;
  const token = Math.min(tokens - 1, selection.value.token ?? tokens - 1);
  const other = against.value !== null && against.value < tokens ? against.value : null;
  const at = { run: run.id, layer: layer.layer, state: shape.name, group };
  const series = useRequest('state/series', at, 0, versionOf(run));
  const ranks = useRequest('state/ranks', at, RANKS_LATER, versionOf(run));
  const step = useStep({ ...at, token, against: other }, tokens);
  const go = (to: number) => select({ token: to });
  const playing = usePlaying(token, tokens, step.state === 'ready', go);
  const shown = shownValue(step);

  const keys = (event: KeyboardEvent) => {
    if (onKey(event)) return;
    const moved = movedToken(event, tokenInfos, token, 10);
    if (moved !== null) {
      playing.value = false;
      go(moved);
    } else if (event.key === ' ') toggle(playing, token, tokens, go);
    else if (event.key === 'd') against.value = against.value === token ? null : token;
    else return;
    event.preventDefault();
  };
  const info = tokenInfos[token];
  return (
    <Frame
      title={`What layer ${layer.layer}${named(shape, group)} remembers after token ${token}${info ? ` “${visibleText(info)}”` : ''}`}
      controls={pickers}
      provenance={shown?.provenance ?? null}
      command={{ run: run.id, probes: [`blocks.${layer.layer}.state.${shape.name}`] }}
      live={shown ? `token ${token}, norm ${compact(shown.norm)}, rank ${compact(shown.rank)}` : ''}
      onKey={keys}
    >
      <Facts step={shown} shape={shape} />
      <div class="scrubber-line">
        <Scrubber token={token} tokens={tokens} playing={playing} go={go} />
        <span>
          token {token} of {tokens.toLocaleString('en')}
        </span>
        <CompareWith against={against} tokens={tokens} />
      </div>
      <TokenStrip tokens={tokenInfos} label="Steps of the state" selected={token} />
      <Loaded of={step} what={`State of layer ${layer.layer} at token ${token}`}>
        {(value) => (
          <section aria-label="Update">
            <Equation step={value} shape={shape} against={other} />
            <p class="update">{value.update}</p>
          </section>
        )}
      </Loaded>
      <Loaded of={series} what={`History of the state of layer ${layer.layer}`}>
        {(value) => <History series={value} token={token} />}
      </Loaded>
      <Loaded of={ranks} what={`Effective rank of the state of layer ${layer.layer} after every token`}>
        {({ rank }) => <Ranks ranks={rank.data} shape={shape} token={token} />}
      </Loaded>
      {shown && <Horizon step={shown} shape={shape} />}
    </Frame>
  );
}

/** The group as a title names it; nothing where a layer has one only. */
function named({ groups, groupName, rows }: StateShape, group: number): string {
  if (groups === 1) return '';
  return groupName === 'head' ? `, head ${group}` : `, channels ${group * rows}–${(group + 1) * rows - 1}`;
}

function Facts({ step, shape }: { readonly step: StateStep | null; readonly shape: StateShape }) {
  const sum = useMemo(() => (step && isSum(step) ? sumError(step) : null), [step]);
  if (!step) return <div class="state-facts">{'\u00a0'}</div>;
  return (
    <div class="state-facts">
      <span>
        norm <b>{compact(step.norm)}</b>
      </span>
      <span>
        effective rank <b>{compact(step.rank)}</b> of {Math.min(shape.rows, shape.cols)}
      </span>
      <span>
        {shape.rows} × {shape.cols} ({shape.rowName} × {shape.colName})
      </span>
      {step.identity && <Badge {...step.identity} title="Both sides computed from this run, over the whole group." />}
      {sum && (
        <Badge formula="the pictures add up" {...sum} title="The state after this token against the sum of the terms shown." />
      )}
    </div>
  );
}

function CompareWith({ against, tokens }: { readonly against: Signal<number | null>; readonly tokens: number }) {
  return (
    <label class="number-field" title="Shows the difference to the state after another token; d takes the selected one">
      Difference to token
      <input
        type="number"
        min={0}
        max={tokens - 1}
        placeholder="none"
        value={against.value ?? ''}
        aria-invalid={against.value !== null && against.value >= tokens}
        onInput={({ currentTarget }) => {
          const wanted = currentTarget.valueAsNumber;
          against.value = Number.isInteger(wanted) && wanted >= 0 ? wanted : null;
        }}
      />
    </label>
  );
}
