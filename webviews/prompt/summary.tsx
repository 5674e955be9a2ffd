import type { InspectorId } from '../../server/protocol/host.js';
import type { Provenance } from '../../server/protocol/inspect.js';
import { attends, caches, type LayerSummary, type ModelInfo, recurs } from '../../server/protocol/models.js';
import type { RunDetail } from '../../server/protocol/runs.js';
import { compact, many } from '../charts/numbers.js';
import { memoryNotes } from '../frame/runMemory.js';
import { activeLayers, activeModel } from '../frame/selection.js';
import { showInspector } from '../host.js';
import { ToExact } from './toExact.js';

/** What was not computed for this run, or is no longer held: above its tokens, so that it is seen without scrolling. */
export function MemoryNotes({ run }: { readonly run: RunDetail }) {
  const notes = memoryNotes(run);
  if (notes.length === 0) return null;
  return (
    <p class="counters">
      <Parts parts={notes} />
    </p>
  );
}

const Parts = ({ parts }: { readonly parts: readonly (readonly [text: string, title: string])[] }) =>
  parts.map(([text, title], n) => (
    <span key={title} title={title}>
      {n > 0 && ' · '}
      {text}
    </span>
  ));

/** Counters of a run: tokens, speed, loss of the prompt, mean entropy. */
export function Counters({ run }: { readonly run: RunDetail }) {
  const entropies = run.tokenInfos.flatMap(({ entropy }) => entropy ?? []);
  const entropy = entropies.length ? entropies.reduce((sum, value) => sum + value, 0) / entropies.length : null;
  const parts: (readonly [text: string, title: string])[] = [
    [many(run.tokenInfos.length, 'token'), `${run.promptTokens} of them are the prompt`],
    ...(run.tokensPerSecond !== null ? [[`${compact(run.tokensPerSecond)} tok/s`, 'Speed of decoding'] as const] : []),
    ...(run.loss !== null ? [[`loss ${run.loss.toFixed(2)}`, 'Mean surprisal of the prompt, nats a token'] as const] : []),
    ...(entropy !== null ? [[`entropy ${entropy.toFixed(1)}`, 'Mean entropy of the distributions, bits'] as const] : []),
  ];
  return (
    <p class="counters">
      <Parts parts={parts} />
      {activeModel.value?.computed.startsWith('int') && <ToExact run={run} />}
    </p>
  );
}

const LINKS: readonly {
  readonly inspector: InspectorId;
  readonly text: string;
  readonly icon: string;
  fits(layer: LayerSummary): boolean;
}[] = [
  { inspector: 'attention', text: 'Attention', icon: 'eye', fits: attends },
  { inspector: 'cache', text: 'KV cache', icon: 'database', fits: caches },
  { inspector: 'state', text: 'State', icon: 'symbol-array', fits: recurs },
  { inspector: 'weights', text: 'Weights', icon: 'symbol-numeric', fits: () => true },
  { inspector: 'architecture', text: 'Architecture', icon: 'type-hierarchy', fits: () => true },
];

/** To the inspectors that this model has something for: what its layers declare decides. */
export function InspectorLinks() {
  const layers = activeLayers.value;
  return (
    <nav class="links" aria-label="Inspectors">
      {LINKS.filter(({ fits }) => layers.some(fits)).map(({ inspector, text, icon }) => (
        <button key={inspector} type="button" class="link" onClick={() => showInspector(inspector)}>
          <i class={`codicon codicon-${icon}`} aria-hidden="true" /> {text}
        </button>
      ))}
    </nav>
  );
}

/** A family that is known by no name says so where its tokens are read. */
export function InferredNote() {
  const model = activeModel.value;
  if (!model?.inferred) return null;
  const assumed = model.inferred.filter((inference) => inference.assumed);
  return (
    <p class="note inferred-note">
      {model.family}: how it computes was told from its tensors and config
      {assumed.length > 0 && `, and assumed: ${assumed.map(({ what }) => what).join('; ')}`}.
    </p>
  );
}

/** What computed the numbers of a run: those that tokens are coloured by and listed with. */
export function runProvenance(run: RunDetail, model: ModelInfo | null): Provenance {
  const probe = model?.generates === false ? model.outputs.join(', ') : 'logits';
  return { model: run.modelName, dtype: model?.dtype ?? '', probe, provider: model?.provider ?? '', ms: run.prefillMs };
}
