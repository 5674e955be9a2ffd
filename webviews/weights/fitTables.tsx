import type { DtypeChoice, Fit, MeasuredParts, PhaseCost } from '../../server/protocol/fit.js';
import type { RunDtype } from '../../server/protocol/models.js';
import { bytes, compact, count } from '../charts/numbers.js';
import { errorOf } from '../charts/roofline.js';
import { Fact } from './fact.js';

/** What speed is counted in: tokens, or the images and texts of a model that reads them at once. */
export const rateOf = ({ decode, text, image }: Fit) => {
  if (decode) return { unit: 'tokens', one: 'token', per: ({ tokens }: PhaseCost) => tokens };
  const one = text && image ? 'pair' : image ? 'image' : 'text';
  return { unit: `${one}s`, one, per: () => 1 };
};

export const perSecond = (each: number, batch: number, seconds: number | null): number | null =>
  seconds === null || seconds === 0 ? null : (each * batch) / seconds;

export const measuredSeconds = (measured: MeasuredParts | null, phase: 'prefill' | 'decode'): number | null =>
  measured === null ? null : measured.parts.reduce((sum, part) => sum + (part[phase] ?? 0), 0);

export function Memory({ fit: { memory, stored, parameters, text, decode } }: { readonly fit: Fit }) {
  return (
    <dl class="statistics">
      <Fact name="parameters" value={count(parameters)} />
      <Fact
        name="stored"
        value={Object.entries(stored)
          .map(([type, size]) => `${type} ${bytes(size)}`)
          .join(', ')}
      />
      <Fact name="weights in memory" value={bytes(Math.round(memory.weights))} />
      {decode && text && <Fact name="state at T" value={bytes(memory.state)} />}
      {memory.checkpoints > 0 && <Fact name="kept for inspection" value={bytes(memory.checkpoints)} />}
    </dl>
  );
}

interface ChoicesProps {
  readonly fit: Fit;
  choose(dtype: RunDtype): void;
}

/** What each dtype would take; the one that everything else here is about is marked. */
export function Choices({ fit, choose }: ChoicesProps) {
  const { available } = fit.memory;
  const { unit, per } = rateOf(fit);
  const speeds = ({ prefill, decode }: DtypeChoice) =>
    fit.decode
      ? [perSecond(per(fit.prefill), fit.batch, prefill), perSecond(per(fit.decode), fit.batch, decode)]
      : [perSecond(1, fit.batch, prefill)];
  return (
    <div>
      <table class="fit-costs" aria-label="What each dtype takes" style={{ '--columns': fit.decode ? 6 : 5 }}>
        <thead>
          <tr>
            <th scope="col">Computed as</th>
            <Column>Weights</Column>
            <Column>Needed</Column>
            <th scope="col">Fits</th>
            {fit.decode ? (
              <>
                <Column>Prefill tokens/s</Column>
                <Column>Decode tokens/s</Column>
              </>
            ) : (
              <Column>Predicted {unit}/s</Column>
            )}
          </tr>
        </thead>
        <tbody>
          {fit.choices.map((choice) => (
            <tr key={choice.dtype} aria-current={choice.dtype === fit.dtype || undefined}>
              <th scope="row">
                {choice.dtype === fit.dtype ? (
                  choice.dtype
                ) : (
                  <button type="button" class="link" onClick={() => choose(choice.dtype)}>
                    {choice.dtype}
                  </button>
                )}
              </th>
              <td class="number">{bytes(Math.round(choice.weights))}</td>
              <td class="number">{bytes(Math.round(choice.needed))}</td>
              <td>{available === null ? '–' : choice.needed <= available ? 'yes' : 'no'}</td>
              {speeds(choice).map((speed, i) => (
                <td key={String(i)} class="number">
                  {speedText(speed)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface CostsProps {
  readonly fit: Fit;
  readonly measured: MeasuredParts | null;
}

/** What one call computes and reads, and how long it takes: predicted and measured. */
export function Costs({ fit, measured }: CostsProps) {
  const { unit, one, per } = rateOf(fit);
  const rows = (['prefill', 'decode'] as const).flatMap((phase) => {
    const cost = fit[phase];
    return cost ? [{ phase, cost, seen: measuredSeconds(measured, phase) }] : [];
  });
  return (
    <div>
      <table
        class="fit-costs"
        aria-label={fit.decode ? 'Cost of prefill and decoding' : 'Cost of a pass'}
        style={{ '--columns': 7 }}
      >
        <thead>
          <tr>
            <th scope="col">Call</th>
            <th scope="col">{fit.decode ? 'New tokens' : 'Tokens'}</th>
            <Column>FLOP a {one}</Column>
            <Column>Bytes a {one}</Column>
            <Column>Predicted {unit}/s</Column>
            <Column>Measured {unit}/s</Column>
            <Column>Error of the time</Column>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ phase, cost, seen }) => {
            const each = per(cost) * fit.batch;
            const error = errorOf({ predicted: cost.seconds, measured: seen });
            return (
              <tr key={phase}>
                <th scope="row">{fit.decode ? phase : 'pass'}</th>
                <td>{fit.decode ? `${cost.tokens} behind ${cost.past}` : towersText(cost)}</td>
                <td class="number">{count(Number((cost.flops / each).toPrecision(3)))}</td>
                <td class="number">{bytes(Math.round(cost.bytes / each))}</td>
                <td class="number">{speedText(perSecond(per(cost), fit.batch, cost.seconds))}</td>
                <td class="number">{speedText(perSecond(per(cost), fit.batch, seen))}</td>
                <td class="number">{error === null ? '–' : `${error < 0 ? '−' : '+'}${Math.abs(error * 100).toFixed(0)} %`}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** Tokens by tower: "vision 197, text 77". */
function towersText({ parts, tokens }: PhaseCost): string {
  const towers = new Map(parts.map((part) => [part.tower, part.tokens]));
  return towers.size < 2 ? String(tokens) : [...towers].map(([tower, each]) => `${tower} ${each}`).join(', ');
}

const Column = ({ children }: { readonly children: preact.ComponentChildren }) => (
  <th scope="col" class="number">
    {children}
  </th>
);

/** Three digits, whole from a thousand on. */
export const speedText = (speed: number | null): string => {
  if (speed === null) return '–';
  return speed < 1000 ? compact(speed) : Number(speed.toPrecision(3)).toLocaleString('en');
};
