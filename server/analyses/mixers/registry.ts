import type { Recurrence } from '../../protocol/models.js';
import { cema } from './cema.js';
import { deltanet } from './deltanet.js';
import { gru } from './gru.js';
import { lstm } from './lstm.js';
import { mamba } from './mamba.js';
import { mamba2 } from './mamba2.js';
import type { Mixer } from './mixer.js';
import { memory, stored } from './mlstm.js';
import { rglru } from './rglru.js';
import { rwkv } from './rwkv.js';
import { denominator, numerator } from './rwkv4.js';
import { rwkv5 } from './rwkv5.js';
import { tttLinear, tttMlp } from './ttt.js';
import { backwards, forwards } from './vim.js';

/** How each kind of recurrence changes its states; nothing is known of those that only a graph describes. */
export const mixers: Readonly<Record<Recurrence, readonly Mixer[]>> = {
  mamba: [mamba],
  mamba2: [mamba2],
  vim: [forwards, backwards],
  rwkv4: [numerator, denominator],
  rwkv5: [rwkv5],
  rwkv: [rwkv],
  rglru: [rglru],
  deltanet: [deltanet],
  mlstm: [memory, stored],
  ttt_linear: tttLinear,
  ttt_mlp: tttMlp,
  cema,
  lstm: [lstm],
  gru: [gru],
  rnn: [],
  loop: [],
  linear_attention: [],
};
