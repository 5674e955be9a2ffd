import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { TensorSpectrum } from '../../server/protocol/weights.js';
import { compact, exact } from '../charts/numbers.js';
import { Vector } from '../charts/vector.js';
import { ProvenanceLine } from '../frame/provenance.js';
import { Loaded } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { Fact } from './fact.js';

/** How many directions a stored matrix really has. */
export function Spectrum({ path, tensor }: { readonly path: string; readonly tensor: string }) {
  const found = useRequest('weights/spectrum', { path, tensor }, 80);
  return (
    <Loaded of={found} what="The singular values">
      {(value) => (
        <>
          <Ranks spectrum={value} name={tensor} />
          <ProvenanceLine provenance={value.provenance} command={{ verb: 'weights', path, options: [tensor] }} />
        </>
      )}
    </Loaded>
  );
}

const shareText = (share: number): string => `${(100 * share).toFixed(1)} %`;

interface RanksProps {
  readonly spectrum: TensorSpectrum;
  readonly name: string;
  /** What the matrix is called in formulas. */
  readonly letter?: string;
}

/** Singular values with what they say together; also of a difference. */
export function Ranks({ spectrum, name, letter = 'A' }: RanksProps) {
  const { sigma, energy, complete, rows, cols } = spectrum;
  const cursor = useSignal<number | null>(null);
  const shares = useMemo(() => {
    let sum = 0;
    return sigma.data.map((s) => {
      sum += s * s;
      return energy === 0 ? 0 : sum / energy;
    });
  }, [spectrum]);
  const describe = (index: number) =>
    `σ${index} = ${exact(sigma.data[index] ?? Number.NaN)}; the first ${index + 1} hold ${shareText(shares[index] ?? 0)} of ‖${letter}‖²`;
  return (
    <>
      <dl class="statistics">
        {spectrum.effectiveRank !== null && (
          <Fact
            name="effective rank"
            value={`${spectrum.effectiveRank.toFixed(1)} of ${Math.min(rows, cols)}`}
            title="exp of the entropy of σ² / Σσ² (Roy & Vetterli 2007)"
          />
        )}
        {spectrum.rank99 !== null && <Fact name="99 % of the energy in" value={`${spectrum.rank99} directions`} />}
        <Fact name="stable rank" value={spectrum.stableRank.toFixed(1)} title="‖A‖² / σ₁²" />
        {spectrum.condition !== null && (
          <Fact
            name="condition"
            value={spectrum.condition === Infinity ? '> 10⁷' : compact(spectrum.condition)}
            title="σ₁ / σ of the last"
          />
        )}
        <Fact name="largest σ" value={exact(sigma.data[0] ?? 0)} />
        <Fact name={`‖${letter}‖`} value={exact(Math.sqrt(energy))} title="Frobenius norm" />
      </dl>
      {!complete && (
        <p class="note">
          The {sigma.data.length} largest of {Math.min(rows, cols)} singular values, found from a random sample of the column
          space; they hold {shareText(shares.at(-1) ?? 0)} of ‖{letter}‖².
        </p>
      )}
      <h3>Singular values, log</h3>
      <Vector
        values={sigma.data}
        label={`Singular values of ${name}`}
        itemName="direction"
        log
        height={110}
        cursor={cursor}
        describe={describe}
      />
      <h3>Share of ‖{letter}‖² held by the first directions</h3>
      <Vector
        values={shares}
        label={`Cumulative energy of ${name}`}
        itemName="direction"
        magnitudes
        full={1}
        height={64}
        cursor={cursor}
        describe={describe}
      />
    </>
  );
}
