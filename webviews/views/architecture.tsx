import '../charts/inspector.css';
import { Architecture } from '../graph/architecture.js';
import '../graph/graph.css';
import { ModelView } from '../frame/modelView.js';
import { mount } from '../frame/mount.js';

mount(() => (
  <ModelView
    title="Architecture"
    text="Shows a model as the graph that runs: its blocks, their modules and steps, and in those every operator with its shapes, weights and values. Run a prompt, or choose a model."
  >
    {(path) => <Architecture key={path} path={path} />}
  </ModelView>
));
