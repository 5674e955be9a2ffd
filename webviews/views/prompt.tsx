import { effect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { RunDetail } from '../../server/protocol/runs.js';
import { Live } from '../frame/frame.js';
import { mount } from '../frame/mount.js';
import { activePicture } from '../frame/picture.js';
import { ProvenanceLine } from '../frame/provenance.js';
import { SAMPLE } from '../frame/sample.js';
import { activeModel, activeRun, shownToken } from '../frame/selection.js';
import { Empty, Failed, Loaded } from '../frame/states.js';
import { TokenLegend, tokenColour } from '../frame/tokenLegend.js';
import { spokenToken } from '../frame/tokenText.js';
import { server } from '../host.js';
import { Composer } from '../prompt/composer.js';
import { ModelPicker } from '../prompt/modelPicker.js';
import { Outputs } from '../prompt/outputs.js';
import { PatchFlow } from '../prompt/patchFlow.js';
import '../prompt/prompt.css';
import { RunList } from '../prompt/runList.js';
import { chosenModel, chosenPath, problem, promptText, refreshFound, reselect, run } from '../prompt/session.js';
import { Counters, InferredNote, InspectorLinks, MemoryNotes, runProvenance } from '../prompt/summary.js';
import { TokenCard, TokenHover } from '../prompt/tokenCard.js';
import { TokenFlow } from '../prompt/tokenFlow.js';

/** Prompt & Tokens: the sidebar where everything starts. */
function Prompt() {
  return (
    <main class="prompt">
      <h1 class="visually-hidden">Prompt & Tokens</h1>
      <ModelPicker />
      <Composer />
      {problem.value && <Failed error={problem.value} />}
      <Loaded of={activeRun.value} what="The tokens of the run" empty={<FirstRun />}>
        {(run) => <Result run={run} />}
      </Loaded>
      <RunList />
    </main>
  );
}

/** What will be here, and a prompt to begin with. */
const FirstRun = () => (
  <Empty
    text="Shows every token of the prompt and of what the model says, coloured by how surprising it was; point at one for its alternatives."
    action={{
      label: 'Try an example',
      run: () => {
        promptText.value = SAMPLE;
        return run();
      },
    }}
  />
);

function Result({ run }: { readonly run: RunDetail }) {
  const alternatives = useRef<HTMLOListElement>(null);
  const flow = useRef<HTMLDivElement>(null);
  const token = run.tokenInfos[shownToken.value ?? -1];
  return (
    <section class="result" aria-label="Tokens">
      {run.error && <Failed error={run.error} />}
      {run.tokenInfos.length === 0 && run.status === 'stopped' && (
        <Empty text="Stopped before the prompt was read to its end: nothing of it is kept. Run it again to look at it." />
      )}
      {run.tokenInfos.length > 0 && (
        <>
          {run.tokenInfos.some(({ surprisal }) => surprisal !== null) && <TokenLegend />}
          <OfAnother run={run} />
          <MemoryNotes run={run} />
          <div ref={flow}>
            {run.recipe.image === undefined ? (
              <TokenFlow
                run={run}
                colour={tokenColour.value}
                branches={activeModel.value?.generates ?? true}
                onEnter={() => alternatives.current?.querySelector('button')?.focus()}
              />
            ) : (
              activePicture.value && <PatchFlow run={run} picture={activePicture.value} />
            )}
          </div>
          {activeModel.value?.generates === false && <Outputs run={run} />}
          <Counters run={run} />
          <InspectorLinks />
          <InferredNote />
          <TokenCard
            run={run}
            branches={activeModel.value?.generates ?? true}
            list={alternatives}
            leave={() => flow.current?.querySelector<HTMLElement>('[role=listbox]')?.focus()}
          />
          <ProvenanceLine
            provenance={runProvenance(run, activeModel.value)}
            identity={null}
            command={{ run: run.id, probes: activeModel.value?.generates === false ? [] : ['logits'] }}
          />
          <TokenHover run={run} flow={flow} />
          <Live text={token ? spokenToken(token) : ''} />
        </>
      )}
    </section>
  );
}

/** A run that was chosen elsewhere, while another model and prompt stand in the boxes above. */
function OfAnother({ run }: { readonly run: RunDetail }) {
  const chosen = chosenModel.value;
  if (chosen ? chosen.id === run.model : chosenPath.value === run.recipe.path) return null;
  return (
    <p class="counters">
      {`Tokens of ${run.modelName}. `}
      <button type="button" class="link" onClick={() => reselect(run)}>
        Take up its prompt
      </button>
    </p>
  );
}

effect(() => {
  if (server.value === 'ready') void refreshFound();
});
mount(Prompt);
