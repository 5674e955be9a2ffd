import path from 'node:path';
import { test } from 'node:test';
import { Run } from '../../server/runtime/run.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { assertClose, readOracle } from './oracle.js';
import { assertDecode, assertLong, idsOf, open, probe } from './reference.js';

/** Models that no library has: references in PyTorch (oracles/) and an independent reading in other sizes (make_research_oracles.py). */
const fixtures = path.resolve(import.meta.dirname, '../fixtures');

/** [a, b, …] → [b, a, …]. */
function swapped({ shape, data }: Tensor): Tensor {
  const [a, b, ...rest] = shape as [number, number, ...number[]];
  const n = rest.reduce((x, y) => x * y, 1);
  const out = new Float32Array(data.length);
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++) out.set(data.subarray((i * b + j) * n, (i * b + j + 1) * n), (j * a + i) * n);
  return { shape: [b, a, ...rest], data: out };
}

type Shown = readonly [probe: string, as?: (tensor: Tensor) => Tensor];

/** Models that keep the same, and the probe that shows each layer.i.KEY of their references. */
interface Kind {
  readonly folders: readonly string[];
  readonly shown: Readonly<Record<string, Shown>>;
}

const ttt: Kind = {
  folders: [
    'oracles/ttt_linear',
    'oracles/ttt_mlp',
    'oracles_more/ttt_linear_odd',
    'oracles_more/ttt_linear_one',
    'oracles_more/ttt_mlp_odd',
  ],
  shown: {
    W1_t: ['state.fast_weights'],
    b1_t: ['state.fast_bias'],
    W2_t: ['state.fast_weights_2'],
    b2_t: ['state.fast_bias_2'],
    loss: ['mixer.loss', swapped],
    eta: ['mixer.eta', swapped],
  },
};

const megalodon: Kind = {
  folders: ['oracles/megalodon', 'oracles_more/megalodon_odd', 'oracles_more/megalodon_half'],
  shown: {
    tsn_mean_t: ['state.tsn_mean'],
    tsn_var_t: ['state.tsn_var'],
    cema_t: ['state.cema'],
    attn: ['attn.pattern'],
    k: ['attn.rot_k'],
    v: ['attn.v'],
  },
};

const nsa: Kind = {
  folders: ['oracles/nsa', 'oracles_more/nsa_odd', 'oracles_more/nsa_wide'],
  shown: {
    attn_cmp: ['attn.cmp.pattern'],
    attn_slc: ['attn.slc.pattern'],
    attn_win: ['attn.win.pattern'],
    gates: ['attn.gates', swapped],
    importance: ['attn.importance'],
    selected: ['attn.selected'],
    k_cmp: ['state.k_cmp'],
    v_cmp: ['state.v_cmp'],
    k_slc: ['state.k_slc'],
    k_win: ['attn.win.rot_k'],
  },
};

for (const { folders, shown } of [ttt, megalodon, nsa])
  for (const folder of folders)
    test(`${folder} equals the reference`, async () => {
      const { device, model, run } = await open(path.join(fixtures, folder));
      const oracle = await readOracle(path.join(fixtures, folder));
      await run.prefill(idsOf(oracle));
      const L = model.layers.length;
      for (let i = 0; i < L; i++) {
        assertClose(`hidden.${i}`, await probe(run, `blocks.${i}.resid_pre`), oracle.get(`hidden.${i}`) as Tensor);
        for (const [key, expected] of oracle) {
          const [layer, index, name = ''] = key.split('.');
          if (layer !== 'layer' || Number(index) !== i) continue;
          const [what, as] = shown[name] as Shown;
          assertClose(key, await probe(run, `blocks.${i}.${what}`), as ? as(expected) : expected);
        }
      }
      // before the final norm, unlike the references of transformers
      assertClose(`hidden.${L}`, await probe(run, `blocks.${L - 1}.resid_post`), oracle.get(`hidden.${L}`) as Tensor);
      assertClose('logits', await probe(run, 'logits'), oracle.get('logits') as Tensor);
      await assertDecode(run, oracle);
      if (oracle.has('long.logits')) await assertLong(await Run.create(model), oracle);
      await device.close();
    });
