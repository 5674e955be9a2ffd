import { useSignal } from '@preact/signals';
import { Column, type Stretch, stretchOf } from '../compare/column.js';
import '../compare/compare.css';
import { figures } from '../compare/figures.js';
import { add, group, others, problem, starting, subject } from '../compare/group.js';
import { Button } from '../controls/controls.js';
import { Frame } from '../frame/frame.js';
import { liveRun } from '../frame/liveRuns.js';
import { mount } from '../frame/mount.js';
import { runSamples } from '../frame/sample.js';
import { models, selection } from '../frame/selection.js';
import { Empty, Failed, ServerState } from '../frame/states.js';
import { TokenLegend, tokenColour } from '../frame/tokenLegend.js';
import { server } from '../host.js';

/** One prompt on several models: figures that can be compared, and every model's tokens side by side. */
function Compare() {
  const stretch = useSignal<Stretch | null>(null);
  const runs = group.value;
  const chosen = subject.value;
  if (!chosen) {
    return (
      <Frame title="Compare runs" provenance={null}>
        {server.value === 'ready' ? (
          <Empty
            text="Shows one prompt on several models, side by side: loss, speed, memory and every token. Prompt a model in Prompt & Tokens, or:"
            action={{ label: 'Prompt all embedded models', run: () => runSamples() }}
          />
        ) : (
          <ServerState />
        )}
      </Frame>
    );
  }
  return (
    <Frame title={title(runs.length, chosen.title)} controls={<Controls />} provenance={null}>
      {problem.value && <Failed error={problem.value} />}
      <div class="columns">
        {runs.map((info) => (
          <Column
            key={info.id}
            info={info}
            colour={tokenColour.value}
            stretch={stretch}
            selected={selectedStretch()}
            most={most()}
          />
        ))}
      </div>
    </Frame>
  );
}

const title = (count: number, prompt: string): string => `“${prompt}” on ${count} ${count === 1 ? 'model' : 'models'}`;

function Controls() {
  const missing = others.value;
  const busy = starting.value.length > 0;
  return (
    <>
      {missing.length > 0 && (
        <Button kind="secondary" icon="add" disabled={busy} onClick={() => void add(missing)}>
          {busy
            ? 'Prompting…'
            : missing.length === 1
              ? `Prompt ${baseName(missing[0] ?? '')} too`
              : `Prompt ${missing.length} more models`}
        </Button>
      )}
      <TokenLegend />
    </>
  );
}

const baseName = (path: string): string => path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;

function selectedStretch(): Stretch | null {
  const { run, token } = selection.value;
  const live = run === null ? null : liveRun(run).value;
  return live?.state === 'ready' && token !== null ? stretchOf(live.value.tokenInfos[token]) : null;
}

/** Largest size of each figure over the columns, so that bars can be compared across them. */
function most(): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const { id } of group.value) {
    const live = liveRun(id).value;
    if (live.state !== 'ready') continue;
    const model = models.value.find((open) => open.id === live.value.model) ?? null;
    for (const { name, size } of figures(live.value, model)) sizes.set(name, Math.max(sizes.get(name) ?? 0, size ?? 0));
  }
  return sizes;
}

mount(Compare);
