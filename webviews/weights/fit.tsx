import { type Signal, useSignal } from '@preact/signals';
import type { Fit, MeasuredParts, PhaseCost } from '../../server/protocol/fit.js';
import { bytes, compact, count } from '../charts/numbers.js';
import { errorOf, Roofline, type RooflinePoint } from '../charts/roofline.js';
import { Dropdown } from '../controls/controls.js';
import { shownValue } from '../frame/loadable.js';
import { ProvenanceLine } from '../frame/provenance.js';
import { Loaded } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { persisted } from '../host.js';
import './fit.css';

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
const isId = (value: unknown): value is string => typeof value === 'string';
const tokens = persisted<number>('fit.tokens', 2048, isCount);
const batch = persisted<number>('fit.batch', 1, isCount);
const machine = persisted<string>('fit.machine', 'here', isId);

/** Whether a model runs on a machine, and how fast: predicted from its graph, and measured part by part on this one. */
export function RunsHere({ path }: { readonly path: string }) {
  const wanted = { path, tokens: tokens.value, batch: batch.value };
  const machines = shownValue(useRequest('fit/machines', {})) ?? [];
  const measuring = useSignal<string | null>(null);
  const asked = JSON.stringify(wanted);
  const measured = useRequest('fit/measure', measuring.value === asked ? wanted : null);
  const times = measuring.value === asked ? shownValue(measured) : null;
  // what was measured now is what the prediction for this machine goes by
  const busy = measuring.value === asked && measured.state === 'loading';
  const predicted = useRequest('fit/predict', busy ? null : { ...wanted, machine: machine.value }, 200);
  const here = machine.value === 'here';
  return (
    <div class="facts fit">
      <div class="tensor-tools">
        <Field label="Context T =" value={tokens} />
        <Field label="Sequences B =" value={batch} />
        <Dropdown
          label="Machine"
          labelled
          value={machine.value}
          options={machines.map(({ id, name }) => ({ value: id, text: name }))}
          onChange={(id) => {
            machine.value = id;
          }}
        />
        {here && (
          <button type="button" class="action" disabled={busy} onClick={() => (measuring.value = asked)}>
            Measure each part
          </button>
        )}
      </div>
      {measuring.value === asked && measured.state !== 'ready' && (
        <Loaded of={measured} what="Timing each part on this machine">
          {() => null}
        </Loaded>
      )}
      <Loaded of={predicted} what="What the model costs">
        {(value) => <Prediction fit={value} measured={here ? times : null} path={path} />}
      </Loaded>
    </div>
  );
}

function Field({ label, value }: { readonly label: string; readonly value: Signal<number> }) {
  return (
    <label class="number-field">
      {label}
      <input
        type="number"
        min={1}
        value={value.value}
        onChange={({ currentTarget }) => {
          if (currentTarget.valueAsNumber >= 1) value.value = Math.floor(currentTarget.valueAsNumber);
        }}
      />
    </label>
  );
}

interface PredictionProps {
  readonly fit: Fit;
  readonly measured: MeasuredParts | null;
  readonly path: string;
}

function Prediction({ fit, measured, path }: PredictionProps) {
  const options = ['--roofline', '--tokens', String(fit.tokens), '--batch', String(fit.batch), '--machine', fit.machine.id];
  const peak = fit.machine.flops[fit.type] ?? null;
  return (
    <>
      <p class="fit-answer" role="status">
        {answer(fit, measured)}
      </p>
      <Facts fit={fit} measured={measured} />
      <Roofline
        points={pointsOf(fit, measured)}
        kinds={['prefill', 'decode']}
        bandwidth={fit.machine.bandwidth}
        peak={peak}
        label={`Roofline of ${fit.provenance.model} on ${fit.machine.name}`}
      />
      <p class="note">
        <span>{fit.machine.source}</span>
        {fit.machine.measured && (
          <span>
            between operators {compact(fit.machine.measured.innerBandwidth / 1e9)} GB/s, starting one{' '}
            {compact(fit.machine.measured.operatorSeconds * 1e6)} µs
          </span>
        )}
        <span>Experts are taken to be chosen evenly; the head counts for the last token of a prompt.</span>
      </p>
      <ProvenanceLine
        provenance={measured?.provenance ?? fit.provenance}
        command={{ path, options: measured ? [...options, '--measure'] : options }}
      />
    </>
  );
}

const perSecond = (phase: PhaseCost, batchSize: number, seconds: number | null): number | null =>
  seconds === null || seconds === 0 ? null : (phase.tokens * batchSize) / seconds;

const measuredSeconds = (measured: MeasuredParts | null, phase: 'prefill' | 'decode'): number | null =>
  measured === null ? null : measured.parts.reduce((sum, part) => sum + part[phase], 0);

/** The question this view is asked, in one sentence. */
function answer(fit: Fit, measured: MeasuredParts | null): string {
  const { memory, machine: on, decode, batch: B } = fit;
  const where = on.measured ? 'here' : `on ${on.name}`;
  const fits = memory.available === null || memory.needed <= memory.available;
  const of = memory.available === null ? '' : ` of ${bytes(memory.available)}${on.measured ? ' free' : ''}`;
  const speed = perSecond(decode, B, decode.seconds);
  const seen = perSecond(decode, B, measuredSeconds(measured, 'decode'));
  const told = [
    speed === null ? null : `about ${compact(Number(speed.toPrecision(2)))} tokens/s predicted`,
    seen === null ? null : `${compact(Number(seen.toPrecision(2)))} measured`,
  ].filter((text) => text !== null);
  return `${fits ? 'Runs' : 'Does not run'} ${where}: needs ${bytes(memory.needed)}${of}${told.length > 0 ? `; ${told.join(', ')}` : ''}.`;
}

function Facts({ fit, measured }: Omit<PredictionProps, 'path'>) {
  const { memory, stored, batch: B } = fit;
  const rows = (['prefill', 'decode'] as const).map((phase) => ({
    phase,
    cost: fit[phase],
    seen: measuredSeconds(measured, phase),
  }));
  return (
    <>
      <dl class="statistics">
        <Fact name="parameters" value={count(fit.parameters)} />
        <Fact
          name="stored"
          value={Object.entries(stored)
            .map(([type, size]) => `${type} ${bytes(size)}`)
            .join(', ')}
        />
        <Fact name="weights in memory" value={bytes(memory.weights)} />
        <Fact name="state at T" value={bytes(memory.state)} />
        {memory.checkpoints > 0 && <Fact name="kept for inspection" value={bytes(memory.checkpoints)} />}
      </dl>
      <table class="fit-costs" aria-label="Cost of prefill and decoding">
        <thead>
          <tr>
            <th scope="col">Call</th>
            <th scope="col">New tokens</th>
            <th scope="col" class="number">
              FLOP a token
            </th>
            <th scope="col" class="number">
              Bytes a token
            </th>
            <th scope="col" class="number">
              Predicted tokens/s
            </th>
            <th scope="col" class="number">
              Measured tokens/s
            </th>
            <th scope="col" class="number">
              Error of the time
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ phase, cost, seen }) => {
            const of = cost.tokens * B;
            const error = errorOf({ predicted: cost.seconds, measured: seen });
            return (
              <tr key={phase}>
                <th scope="row">{phase}</th>
                <td>{`${cost.tokens} behind ${cost.past}`}</td>
                <td class="number">{count(Number((cost.flops / of).toPrecision(3)))}</td>
                <td class="number">{bytes(Math.round(cost.bytes / of))}</td>
                <td class="number">{speedText(perSecond(cost, B, cost.seconds))}</td>
                <td class="number">{speedText(perSecond(cost, B, seen))}</td>
                <td class="number">{error === null ? '–' : `${error < 0 ? '−' : '+'}${Math.abs(error * 100).toFixed(0)} %`}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

const speedText = (speed: number | null): string => (speed === null ? '–' : compact(speed));

const Fact = ({ name, value }: { readonly name: string; readonly value: string }) => (
  <div>
    <dt>{name}</dt>
    <dd>{value}</dd>
  </div>
);

/** Every part that was measured, or of those that are built alike one. */
function pointsOf(fit: Fit, measured: MeasuredParts | null): RooflinePoint[] {
  return (['prefill', 'decode'] as const).flatMap((phase, kind) =>
    fit[phase].parts.flatMap((cost, i): RooflinePoint[] => {
      if (!measured && cost.structure !== i) return [];
      const alike = fit[phase].parts.filter(({ structure }) => structure === cost.structure).length;
      const name =
        typeof cost.part === 'number'
          ? `block ${cost.part}${!measured && alike > 1 ? ` and ${alike - 1} like it` : ''}`
          : cost.part;
      const label = cost.tower === '' ? name : `${cost.tower} ${name}`;
      const { flops, bytes: read, seconds } = cost;
      return [{ name: label, kind, flops, bytes: read, predicted: seconds, measured: measured?.parts[i]?.[phase] ?? null }];
    }),
  );
}
