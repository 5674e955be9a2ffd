import { ModelView } from '../frame/modelView.js';
import { mount } from '../frame/mount.js';
import { Checkpoint } from '../weights/checkpoint.js';

mount(() => (
  <ModelView
    title="Weights"
    text="Shows what is in a checkpoint: its architecture, every tensor with its values, and what it keeps between tokens. Run a prompt, or choose a model."
  >
    {(path) => <Checkpoint key={path} path={path} />}
  </ModelView>
));
