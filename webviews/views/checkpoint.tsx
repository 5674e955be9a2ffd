import { mount } from '../frame/mount.js';
import { Empty } from '../frame/states.js';
import { boot } from '../host.js';
import { Checkpoint } from '../weights/checkpoint.js';

/** Custom editor of one weight file or model folder. */
const Editor = () => (boot.path === null ? <Empty text="No file was given to look into." /> : <Checkpoint path={boot.path} />);

mount(Editor);
