import { effect } from '@preact/signals';
import '../charts/inspector.css';
import { Architecture } from '../graph/architecture.js';
import '../graph/graph.css';
import { ModelView } from '../frame/modelView.js';
import { mount } from '../frame/mount.js';
import { selection } from '../frame/selection.js';
import { boot, persisted } from '../host.js';

const isPath = (value: unknown): value is string | null => value === null || typeof value === 'string';
/** A model that was asked for, until another run is selected. */
const picked = persisted<string | null>('path', boot.path, isPath);

let run = selection.value.run;
effect(() => {
  if (selection.value.run === run) return;
  run = selection.value.run;
  picked.value = null;
});

mount(() => (
  <ModelView
    title="Architecture"
    text="Shows a model as the graph that runs: its blocks, their modules and steps, and in those every operator with its shapes, weights and values. Run a prompt, or choose a model."
    picked={picked}
  >
    {(path) => <Architecture key={path} path={path} />}
  </ModelView>
));
