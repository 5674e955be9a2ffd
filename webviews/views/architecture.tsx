import { effect } from '@preact/signals';
import '../charts/inspector.css';
import { Architecture } from '../graph/architecture.js';
import '../graph/graph.css';
import { Frame } from '../frame/frame.js';
import { mount } from '../frame/mount.js';
import { activeModel, models, selection } from '../frame/selection.js';
import { Empty, ServerState } from '../frame/states.js';
import { boot, persisted, request, server } from '../host.js';

const isPath = (value: unknown): value is string | null => value === null || typeof value === 'string';
/** A model that was asked for, until another run is selected. */
const picked = persisted<string | null>('path', boot.path, isPath);

let run = selection.value.run;
effect(() => {
  if (selection.value.run === run) return;
  run = selection.value.run;
  picked.value = null;
});

/** The graph of the selected run's model, or of a file that is only looked at. */
function View() {
  const path = picked.value ?? activeModel.value?.path ?? models.value[0]?.path ?? null;
  if (path !== null) return <Architecture key={path} path={path} />;
  return (
    <Frame title="Architecture" provenance={null}>
      {server.value === 'ready' ? (
        <Empty
          text="Shows a model as the graph that runs: its blocks, their modules and steps, and in those every operator with its shapes, weights and values. Run a prompt, or choose a model."
          action={{ label: 'Choose a model', run: () => void pick() }}
        />
      ) : (
        <ServerState />
      )}
    </Frame>
  );
}

async function pick(): Promise<void> {
  const chosen = await request('host/pickModel', null).catch(() => null);
  if (chosen) picked.value = chosen.path;
}

mount(View);
