import { signal } from '@preact/signals';
import { Frame } from '../frame/frame.js';
import { mount } from '../frame/mount.js';
import { activeModel, models } from '../frame/selection.js';
import { Empty, ServerState } from '../frame/states.js';
import { request, server } from '../host.js';
import { Checkpoint } from '../weights/checkpoint.js';

/** A file the person picked here; until the selected run's model takes its place. */
const picked = signal<string | null>(null);

/** The file of the selected run's model. */
function Weights() {
  const path = picked.value ?? activeModel.value?.path ?? models.value[0]?.path ?? null;
  if (path !== null) return <Checkpoint key={path} path={path} />;
  return (
    <Frame title="Weights" provenance={null}>
      {server.value === 'ready' ? (
        <Empty
          text="Shows what is in a checkpoint: its architecture, every tensor with its values, and what it keeps between tokens. Run a prompt, or choose a model."
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

mount(Weights);
