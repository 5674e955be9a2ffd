import type { Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { request, server } from '../host.js';
import { Frame } from './frame.js';
import { activeModel, models } from './selection.js';
import { Empty, ServerState } from './states.js';

interface Props {
  readonly title: string;
  /** What the view shows, where there is no model yet. */
  readonly text: string;
  /** A model that was asked for here. */
  readonly picked: Signal<string | null>;
  children(path: string): ComponentChildren;
}

/** A view of one model: the picked one, else that of the selected run, else any that is open. */
export function ModelView({ title, text, picked, children }: Props) {
  const path = picked.value ?? activeModel.value?.path ?? models.value[0]?.path ?? null;
  if (path !== null) return <>{children(path)}</>;
  const pick = async () => {
    const chosen = await request('host/pickModel', null).catch(() => null);
    if (chosen) picked.value = chosen.path;
  };
  return (
    <Frame title={title} provenance={null}>
      {server.value === 'ready' ? (
        <Empty text={text} action={{ label: 'Choose a model', run: () => void pick() }} />
      ) : (
        <ServerState />
      )}
    </Frame>
  );
}
