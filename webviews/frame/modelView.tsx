import { effect } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { boot, persisted, request, server } from '../host.js';
import { Frame } from './frame.js';
import { activeModel, models, selection } from './selection.js';
import { Empty, ServerState } from './states.js';

interface Props {
  readonly title: string;
  /** What the view shows, where there is no model yet. */
  readonly text: string;
  children(path: string): ComponentChildren;
}

const isPath = (value: unknown): value is string | null => value === null || typeof value === 'string';
/** A model that was asked for, until another run is selected. */
const picked = persisted<string | null>('path', boot.path, isPath);

let run = selection.value.run;
effect(() => {
  if (selection.value.run === run) return;
  run = selection.value.run;
  picked.value = null;
});

/** A view of one model: the picked one, else that of the selected run, else any that is open. */
export function ModelView({ title, text, children }: Props) {
  const path = picked.value ?? activeModel.value?.path ?? models.value[0]?.path ?? null;
  if (path !== null) return <>{children(path)}</>;
  const pick = async () => {
    const chosen = await request('host/pickModel', null).catch(() => null);
    if (chosen) picked.value = chosen.path;
  };
  return (
    <Frame title={title} provenance={null}>
      {server.value === 'ready' ? (
        <Empty text={text} action={{ label: 'Choose a model…', run: () => void pick() }} />
      ) : (
        <ServerState />
      )}
    </Frame>
  );
}
