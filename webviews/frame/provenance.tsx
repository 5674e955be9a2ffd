import type { Provenance } from '../../server/protocol/inspect.js';
import type { FileCommand } from '../../server/protocol/models.js';
import type { RunId } from '../../server/protocol/runs.js';
import { orTell, request } from '../host.js';

/** For *Copy as command*: the run and the probes behind a picture, or what the command line says of a checkpoint. */
export type Command = { readonly run: RunId; readonly probes: readonly string[] } | FileCommand;

/** Where numbers come from. */
export interface ProvenanceProps {
  /** Null until the numbers are here. */
  readonly provenance: Provenance | null;
  /** Error of the identity check and what it was compared with, e.g. `y = C·h + D·x`. */
  readonly identity?: { readonly formula: string; readonly error: number; readonly magnitude: number } | null;
  readonly command?: Command | null;
}

/** model · dtype · probe · provider · identity · time, and the command that computes the same numbers. */
export function ProvenanceLine({ provenance, identity, command }: ProvenanceProps) {
  if (!provenance) return <footer class="provenance" />;
  const { model, dtype, probe, provider, ms } = provenance;
  return (
    <footer class="provenance">
      <span>
        {[model, dtype, probe, provider].filter(Boolean).join(' · ')}
        {identity && <Identity {...identity} />}
        {` · ${duration(ms)}`}
      </span>
      {command && <CopyAsCommand command={command} />}
    </footer>
  );
}

export const CopyAsCommand = ({ command }: { readonly command: Command }) => (
  <button
    type="button"
    class="link"
    title="Copies the command line that computes these numbers"
    onClick={() => orTell(copied(command))}
  >
    <i class="codicon codicon-copy" aria-hidden="true" /> Copy as command
  </button>
);

async function copied(said: Command): Promise<void> {
  if ('run' in said) await request('host/copyCommand', said);
  else await request('host/copyText', { text: (await request('models/command', said)).command });
}

/** Largest error that fp32 sums of a layer's length explain, relative to the numbers compared. */
const TOLERANCE = 1e-4;

function Identity({ formula, error, magnitude }: NonNullable<ProvenanceProps['identity']>) {
  const holds = error <= TOLERANCE * Math.max(1, magnitude);
  return (
    <span
      class={holds ? 'identity' : 'identity broken'}
      title={`Largest difference between both sides; the numbers go up to ${magnitude.toPrecision(3)}`}
    >
      {` · ${formula} `}
      <i class={`codicon codicon-${holds ? 'check' : 'warning'}`} role="img" aria-label={holds ? 'holds' : 'does not hold'} />
      {` ${error.toExponential(0)}`}
    </span>
  );
}

const duration = (ms: number): string =>
  ms < 0.05 ? 'cached' : ms < 10 ? `${ms.toFixed(1)} ms` : ms < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
