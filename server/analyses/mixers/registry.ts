import type { LayerView } from '../../runtime/view.js';
import { mamba } from './mamba.js';
import type { Mixer } from './mixer.js';
import { rwkv } from './rwkv.js';

/** Recurrent mixers by what a layer calls its own. */
export const mixers: Readonly<Record<Exclude<LayerView['mixer'], 'attention'>, Mixer>> = { mamba, rwkv };
