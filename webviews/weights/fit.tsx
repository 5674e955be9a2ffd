import { type Signal, useSignal } from '@preact/signals';
import type { Fit, MeasuredParts } from '../../server/protocol/fit.js';
import { type RunDtype, runDtypes } from '../../server/protocol/models.js';
import { bytes, compact } from '../charts/numbers.js';
import { Roofline } from '../charts/roofline.js';
import type { RooflinePoint } from '../charts/rooflineDrawing.js';
import { Dropdown } from '../controls/controls.js';
import { shownValue } from '../frame/loadable.js';
import { ProvenanceLine } from '../frame/provenance.js';
import { Loaded } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { persisted } from '../host.js';
import './fit.css';
import { Choices, Costs, Memory, measuredSeconds, perSecond, rateOf, speedText } from './fitTables.js';

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;
const isId = (value: unknown): value is string => typeof value === 'string';
const isDtype = (value: unknown): value is RunDtype => runDtypes.includes(value as RunDtype);
const isSides = (value: unknown): value is Sides => Array.isArray(value) && value.length === 2 && value.every(isCount);
type Sides = readonly [number, number];
const tokens = persisted<number>('fit.tokens', 2048, isCount);
const batch = persisted<number>('fit.batch', 1, isCount);
const machine = persisted<string>('fit.machine', 'here', isId);
const dtype = persisted<RunDtype>('fit.dtype', 'own', isDtype);
/** Of an image; null: as the model's images are prepared. */
const pixels = persisted<Sides | null>('fit.pixels', null, (value): value is Sides | null => value === null || isSides(value));

/** Whether a model runs on a machine, and how fast: predicted from its graph, and measured part by part on this one. */
export function RunsHere({ path }: { readonly path: string }) {
  const sides = pixels.value === null ? {} : { pixels: pixels.value };
  const wanted = { path, tokens: tokens.value, batch: batch.value, dtype: dtype.value, ...sides };
  const machines = shownValue(useRequest('fit/machines', {})) ?? [];
  const measuring = useSignal<string | null>(null);
  const asked = JSON.stringify(wanted);
  const measured = useRequest('fit/measure', measuring.value === asked ? wanted : null);
  const times = measuring.value === asked ? shownValue(measured) : null;
  // what was measured now is what the prediction for this machine goes by
  const busy = measuring.value === asked && measured.state === 'loading';
  const predicted = useRequest('fit/predict', busy ? null : { ...wanted, machine: machine.value }, 200);
  const here = machine.value === 'here';
  const shown = shownValue(predicted);
  return (
    <div class="facts fit">
      <div class="tensor-tools">
        {(shown?.text ?? true) && <Field label="Context T =" value={tokens} />}
        {shown?.image && <ImageSize image={shown.image} />}
        <Field label={shown?.text === false ? 'Images B =' : 'Sequences B ='} value={batch} />
        {(shown?.choices.length ?? 2) > 1 && (
          <Dropdown
            label="Computed as"
            labelled
            value={dtype.value}
            options={runDtypes.map((value) => ({ value, text: value }))}
            onChange={(value) => {
              dtype.value = value;
            }}
          />
        )}
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
    <NumberField
      label={label}
      value={value.value}
      onChange={(number) => {
        value.value = number;
      }}
    />
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly value: number;
  onChange(value: number): void;
}

const NumberField = ({ label, value, onChange }: NumberFieldProps) => (
  <label class="number-field">
    {label}
    <input
      type="number"
      min={1}
      value={value}
      onChange={({ currentTarget }) => {
        if (currentTarget.valueAsNumber >= 1) onChange(Math.floor(currentTarget.valueAsNumber));
      }}
    />
  </label>
);

/** Height and width where the model takes any; else they are told. */
function ImageSize({ image: { height, width, free } }: { readonly image: NonNullable<Fit['image']> }) {
  if (!free)
    return (
      <span>
        Image {height} × {width}
      </span>
    );
  const set = (sides: Sides) => {
    pixels.value = sides;
  };
  return (
    <>
      <NumberField label="Image" value={height} onChange={(value) => set([value, width])} />
      <NumberField label="×" value={width} onChange={(value) => set([height, value])} />
    </>
  );
}

const optionsOf = ({ tokens: T, batch: B, dtype: as, image, machine: on }: Fit) => ({
  tokens: T,
  batch: B,
  dtype: as,
  ...(image?.free && { pixels: `${image.height}x${image.width}` }),
  machine: on.id,
});

interface PredictionProps {
  readonly fit: Fit;
  readonly measured: MeasuredParts | null;
  readonly path: string;
}

function Prediction({ fit, measured, path }: PredictionProps) {
  const options = ['--roofline', ...Object.entries(optionsOf(fit)).flatMap(([name, value]) => [`--${name}`, String(value)])];
  return (
    <>
      <p class="fit-answer" role="status">
        {answer(fit, measured)}
      </p>
      <Memory fit={fit} />
      <div class="fit-tables">
        <Choices
          fit={fit}
          choose={(value) => {
            dtype.value = value;
          }}
        />
        <Costs fit={fit} measured={measured} />
      </div>
      <Roofline
        points={pointsOf(fit, measured)}
        kinds={fit.decode ? ['prefill', 'decode'] : ['pass']}
        bandwidth={fit.roof.bandwidth}
        peak={fit.roof.peak}
        label={`Roofline of ${fit.provenance.model} on ${fit.machine.name}`}
      />
      <p class="note">
        <span>{fit.machine.source}</span>
        {fit.machine.measured && (
          <span>
            between operators {compact(fit.machine.measured.innerBandwidth / 1e9)} GB/s, starting one{' '}
            {compact(fit.machine.measured.operatorSeconds * 1e6)} µs, a call {compact(fit.machine.measured.callSeconds * 1e6)} µs;
            products with int8 {compact(fit.machine.measured.products.int8.flops / 1e9)}, int4{' '}
            {compact(fit.machine.measured.products.int4.flops / 1e9)} GOP/s
          </span>
        )}
        <span>
          {fit.decode
            ? 'Experts are taken to be chosen evenly; the head counts for the last token of a prompt.'
            : 'One pass reads everything at once: there is no cache and no decoding.'}
        </span>
      </p>
      <ProvenanceLine
        provenance={measured?.provenance ?? fit.provenance}
        command={{ path, options: measured ? [...options, '--measure'] : options }}
      />
    </>
  );
}

/** The question this view is asked, in one sentence. */
function answer(fit: Fit, measured: MeasuredParts | null): string {
  const { memory, machine: on, prefill, decode, batch: B } = fit;
  const where = on.measured ? 'here' : `on ${on.name}`;
  const fits = memory.available === null || memory.needed <= memory.available;
  const of = memory.available === null ? '' : ` of ${bytes(memory.available)}${on.measured ? ' free' : ''}`;
  const phase = decode ? 'decode' : 'prefill';
  const { unit, per } = rateOf(fit);
  const speed = perSecond(per(decode ?? prefill), B, (decode ?? prefill).seconds);
  const seen = perSecond(per(decode ?? prefill), B, measuredSeconds(measured, phase));
  const told = [
    speed === null ? null : `about ${speedText(Number(speed.toPrecision(2)))} ${unit}/s predicted`,
    seen === null ? null : `${speedText(Number(seen.toPrecision(2)))} measured`,
  ].filter((text) => text !== null);
  return `${fits ? 'Runs' : 'Does not run'} ${where}: needs ${bytes(Math.round(memory.needed))}${of}${told.length > 0 ? `; ${told.join(', ')}` : ''}.`;
}

/** Every part that was measured, or of those that are built alike one. */
function pointsOf(fit: Fit, measured: MeasuredParts | null): RooflinePoint[] {
  return (['prefill', 'decode'] as const).flatMap((phase, kind) => {
    const parts = fit[phase]?.parts ?? [];
    return parts.flatMap((cost, i): RooflinePoint[] => {
      if (!measured && cost.structure !== i) return [];
      const alike = parts.filter(({ structure }) => structure === cost.structure).length;
      const name =
        typeof cost.part === 'number'
          ? `block ${cost.part}${!measured && alike > 1 ? ` and ${alike - 1} like it` : ''}`
          : cost.part;
      const label = cost.tower === '' ? name : `${cost.tower} ${name}`;
      const { flops, bytes: read, seconds } = cost;
      return [{ name: label, kind, flops, bytes: read, predicted: seconds, measured: measured?.parts[i]?.[phase] ?? null }];
    });
  });
}
