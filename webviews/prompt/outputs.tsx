import { useSignal } from '@preact/signals';
import type { Match, OutputValue, RunOutputs } from '../../server/protocol/passes.js';
import type { RunDetail } from '../../server/protocol/runs.js';
import { Bars } from '../charts/bars.js';
import { compact } from '../charts/numbers.js';
import { Vector } from '../charts/vector.js';
import { isOver } from '../frame/liveRuns.js';
import { runs, select } from '../frame/selection.js';
import { Loaded } from '../frame/states.js';
import { percent } from '../frame/tokenText.js';
import { useRequest } from '../frame/useRequest.js';
import './outputs.css';

/** What a model of one pass said of its input: its classes, what of the other tower it fits, and every output. */
export function Outputs({ run }: { readonly run: RunDetail }) {
  // others may have come to fit, or gone
  const others = runs.value.filter((other) => other.model === run.model && isOver(other)).map(({ id }) => id);
  const outputs = useRequest('runs/outputs', isOver(run) && run.error === null ? { run: run.id } : null, 0, others.join());
  return (
    <Loaded of={outputs} what="The outputs">
      {(value) => (
        <section class="outputs" aria-label="Outputs">
          {value.classes && <Classes classes={value.classes} />}
          {value.matches && <Matches said={value} matches={value.matches} />}
          <Values values={value.outputs} />
        </section>
      )}
    </Loaded>
  );
}

const Classes = ({ classes }: { readonly classes: NonNullable<RunOutputs['classes']> }) => (
  <>
    <h2>What it is</h2>
    <Bars
      label="Classes by probability"
      full={1}
      bars={classes.map(({ index, label, probability, logit }) => ({
        label,
        value: probability,
        text: percent(probability),
        title: `class ${index}, logit ${compact(logit)}`,
      }))}
    />
  </>
);

/** What the tower of each kind is called by people. */
const KINDS: Readonly<Record<string, string>> = { vision: 'image', text: 'text' };
const kindOf = (tower: string | null): string => KINDS[tower ?? ''] ?? tower ?? 'input';

function Matches({ said, matches }: { readonly said: RunOutputs; readonly matches: readonly Match[] }) {
  const kind = kindOf(said.other);
  if (matches.length === 0)
    return (
      <p class="quiet">{`Give this model ${kind === 'image' ? 'an image' : `a ${kind}`} as well, to see how well the two fit.`}</p>
    );
  return (
    <>
      <h2>{`Which ${kind} fits`}</h2>
      <Bars
        label={`Each ${kind} by how well it fits`}
        full={1}
        bars={matches.map(({ run, title, probability, cosine, logit }) => ({
          label: matches.some((other) => other.title === title && other.run !== run) ? `${title} (${run})` : title,
          value: probability,
          text: `${percent(probability)} · cos ${cosine.toFixed(3)}`,
          title: `cosine ${compact(cosine)}, logit ${compact(logit)}`,
        }))}
        onSelect={(index) => select({ run: matches[index]?.run ?? null, token: null })}
      />
      <p class="quiet">
        {said.pairs === 'softmax'
          ? `Softmax over the ${matches.length} of this session.`
          : 'Each pair by itself: a sigmoid of its logit.'}
      </p>
    </>
  );
}

function Values({ values }: { readonly values: readonly OutputValue[] }) {
  const open = useSignal<string | null>(null);
  return (
    <>
      <h2>Outputs</h2>
      <ul class="output-list">
        {values.map((value) => (
          <li key={value.name}>
            <button
              type="button"
              class="link"
              aria-expanded={open.value === value.name}
              onClick={() => {
                open.value = open.value === value.name ? null : value.name;
              }}
            >
              <i class={`codicon codicon-chevron-${open.value === value.name ? 'down' : 'right'}`} aria-hidden="true" />
              {value.name}
            </button>
            <span class="quiet">{`[${value.shape.join(', ')}] · norm ${compact(value.norm)}`}</span>
            {open.value === value.name && <Whole value={value} />}
          </li>
        ))}
      </ul>
    </>
  );
}

function Whole({ value: { name, shape, values } }: { readonly value: OutputValue }) {
  const count = shape.reduce((n, size) => n * size, 1);
  const shown = values.data.length;
  return (
    <>
      <Vector values={values.data} label={name} itemName="value" />
      {shown < count && <p class="quiet">{`The first ${shown} of ${count} values.`}</p>}
    </>
  );
}
