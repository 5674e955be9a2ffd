import { type ReadonlySignal, type Signal, useSignal } from '@preact/signals';
import { useMemo, useRef } from 'preact/hooks';
import type { InspectorId } from '../../server/protocol/host.js';
import { attends, caches, type LayerSummary, recurs } from '../../server/protocol/models.js';
import type { RunDetail, RunInfo, TokenInfo } from '../../server/protocol/runs.js';
import { movedToken } from '../frame/keys.js';
import { liveRun } from '../frame/liveRuns.js';
import type { Loadable } from '../frame/loadable.js';
import { ProvenanceLine } from '../frame/provenance.js';
import { models, select, selection } from '../frame/selection.js';
import { Failed, Loaded } from '../frame/states.js';
import { percent, type TokenColour, visibleText } from '../frame/tokenText.js';
import { showInspector } from '../host.js';
import { runProvenance } from '../prompt/summary.js';
import { boxOf, tokenOf, useBoxes, useMark } from '../prompt/tokenBoxes.js';
import { type Figure, figures } from './figures.js';

/** A stretch of the prompt in UTF-16 units, which all columns mark: tokenizers cut it differently. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

interface Props {
  readonly info: RunInfo;
  readonly colour: TokenColour;
  readonly stretch: Signal<Stretch | null>;
  /** Of the selected token, which columns mark while nothing is pointed at. */
  readonly selected: Stretch | null;
  /** Largest size of each figure over all columns. */
  readonly most: ReadonlyMap<string, number>;
}

/** One model's answer to the prompt: its figures, its tokens, and the way into it. */
export function Column(props: Props) {
  const live: ReadonlySignal<Loadable<RunDetail>> = liveRun(props.info.id);
  const { info } = props;
  return (
    <section class="column" aria-label={info.modelName}>
      <h2>
        {info.modelName} {info.status !== 'done' && <span class="quiet">{info.status}</span>}
      </h2>
      {info.error && <Failed error={info.error} />}
      <Loaded of={live.value} what={`The tokens of ${info.modelName}`}>
        {(run) => <Answer {...props} run={run} />}
      </Loaded>
    </section>
  );
}

function Answer({ run, colour, stretch, selected, most }: Props & { readonly run: RunDetail }) {
  const model = models.value.find(({ id }) => id === run.model) ?? null;
  return (
    <>
      <dl class="figures">
        {figures(run, model).map((figure) => (
          <FigureRow key={figure.name} figure={figure} most={most.get(figure.name) ?? 0} />
        ))}
      </dl>
      <Tokens run={run} colour={colour} stretch={stretch} selected={selected} />
      <Links run={run} layers={model?.layers ?? []} />
      <ProvenanceLine provenance={runProvenance(run, model)} identity={null} command={{ run: run.id, probes: ['logits'] }} />
    </>
  );
}

const FigureRow = ({ figure: { name, text, size, title }, most }: { readonly figure: Figure; readonly most: number }) => (
  <div class="figure" title={title}>
    <dt>{name}</dt>
    <dd>
      {text}
      <i class="figure-bar" style={{ width: `${size === null || most <= 0 ? 0 : (100 * size) / most}%` }} />
    </dd>
  </div>
);

/** The stretch of a token; null for one that was generated: texts part there. */
export const stretchOf = (token: TokenInfo | undefined): Stretch | null =>
  token && token.start !== null && token.end !== null ? { start: token.start, end: token.end } : null;

type TokensProps = Pick<Props, 'colour' | 'stretch' | 'selected'> & { readonly run: RunDetail };

function Tokens({ run, colour, stretch, selected }: TokensProps) {
  const tokens = run.tokenInfos;
  const list = useRef<HTMLDivElement>(null);
  const boxes = useBoxes(tokens, colour, run.id);
  const chosen = selection.value.run === run.id ? selection.value.token : null;
  const own = useSignal<number | null>(null);
  const shared = stretch.value ?? (chosen === null ? selected : null);
  const marked = useMemo(() => (own.value === null ? overlapping(tokens, shared) : [own.value]), [tokens, shared, own.value]);
  useMark(list, 'selected', chosen === null ? [] : [chosen], boxes.length);
  useMark(list, 'hovered', marked, boxes.length);
  const hover = (token: number | null) => {
    const info = token === null ? undefined : tokens[token];
    own.value = token;
    stretch.value = stretchOf(info);
  };
  const shown = marked.map((token) => tokens[token]).filter((token) => token !== undefined);
  const read = shown.length > 0 || chosen === null ? shown : tokens.slice(chosen, chosen + 1);
  return (
    <>
      <div
        ref={list}
        class="flow"
        role="listbox"
        tabIndex={0}
        aria-label={`Tokens of ${run.modelName}`}
        onMouseMove={(event) => hover(tokenOf(event))}
        onMouseLeave={() => hover(null)}
        onClick={(event) => {
          const token = tokenOf(event);
          if (token !== null) select({ run: run.id, token });
        }}
        onKeyDown={(event) => {
          const moved = movedToken(event, tokens, chosen ?? 0, 50);
          if (moved === null) return;
          event.preventDefault();
          select({ run: run.id, token: moved });
          boxOf(list.current, moved)?.scrollIntoView({ block: 'nearest' });
        }}
      >
        {boxes}
      </div>
      <p class="reading" aria-live="polite">
        {read.length > 0 ? read.map(reading).join(' · ') : '\u00a0'}
      </p>
    </>
  );
}

/** Tokens of the prompt that lie in the stretch, at least in part. */
function overlapping(tokens: readonly TokenInfo[], stretch: Stretch | null): readonly number[] {
  if (!stretch) return [];
  return tokens
    .filter(({ start, end }) => start !== null && end !== null && start < stretch.end && end > stretch.start)
    .map(({ index }) => index);
}

function reading(token: TokenInfo): string {
  const text = visibleText(token);
  if (token.probability === null) return `${text} first token`;
  return `${text} p ${percent(token.probability)}, rank ${(token.rank ?? 0) + 1}`;
}

const LINKS: readonly { readonly inspector: InspectorId; readonly text: string; fits(layer: LayerSummary): boolean }[] = [
  { inspector: 'attention', text: 'Attention', fits: attends },
  { inspector: 'cache', text: 'KV cache', fits: caches },
  { inspector: 'state', text: 'State', fits: recurs },
];

const Links = ({ run, layers }: { readonly run: RunDetail; readonly layers: readonly LayerSummary[] }) => (
  <nav class="links" aria-label={`Inspect ${run.modelName}`}>
    {LINKS.filter(({ fits }) => layers.some(fits)).map(({ inspector, text }) => (
      <button
        key={inspector}
        type="button"
        class="link"
        onClick={() => {
          if (selection.value.run !== run.id) select({ run: run.id, token: null });
          showInspector(inspector);
        }}
      >
        {text}
      </button>
    ))}
  </nav>
);
