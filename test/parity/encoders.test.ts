import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { HostTensor } from '../../server/runtime/elements.js';
import type { EncoderPass } from '../../server/runtime/encoderPass.js';
import type { Tensor } from '../../server/tensor/tensor.js';
import { openEncoder, reversed, unitMean } from './encoderReference.js';
import { assertClose, fixtures, readOracle } from './oracle.js';

const tensor = ({ dims, data }: HostTensor): Tensor => ({ shape: dims, data: data as Float32Array });
const read = async (pass: EncoderPass, name: string) => tensor((await pass.read([name])).get(name) as HostTensor);

/** What a key of a reference is called here; null when it is derived from something else. */
function nameOf(key: string, layers: number): string {
  const [, tower = '', kind, index] = /^(vision\.|text\.)?(attn|hidden)\.(\d+)$/.exec(key) ?? [];
  if (kind === 'attn') return `${tower}blocks.${index}.attn.pattern`;
  if (kind === 'hidden')
    return Number(index) === layers ? `${tower}blocks.${layers - 1}.resid_post` : `${tower}blocks.${index}.resid_pre`;
  const vim = /^layer\.(\d+)\.(delta_...|ssm_...)(?:_t)?$/.exec(key);
  return vim ? `blocks.${vim[1]}.${vim[2]?.startsWith('ssm') ? 'state' : 'mixer'}.${vim[2]}` : key;
}

const inputs = new Set(['input_ids', 'pixel_values', 'attention_mask', 'token_type_ids']);

/** Every tensor of a reference but its gradients. */
async function assertEncoder(folder: string): Promise<void> {
  const oracle = await readOracle(folder);
  const { model, begin, close } = await openEncoder(path.resolve(fixtures, folder), oracle);
  const pass = begin();
  const layers = [...model.towers.values()][0]?.layers.length as number;
  for (const [key, expected] of oracle) {
    if (inputs.has(key) || key.startsWith('saliency.')) continue;
    if (key === 'mean_pool_l2') assertClose(key, unitMean(await read(pass, 'last_hidden_state')), expected);
    else {
      const actual = await read(pass, nameOf(key, layers));
      // recorded in the order of the backward scan, whose first token is the last
      assertClose(key, /_bwd(_t)?$/.test(key) ? reversed(actual) : actual, expected);
    }
  }
  await close();
}

for (const family of ['vit', 'dinov2', 'clip', 'siglip', 'vim', 'bert'])
  test(`${family} equals the reference`, () => assertEncoder(family));

/** Other sizes, spellings, heads and batches; made by fixtures/make_encoder_oracles.py. */
const more = path.resolve(fixtures, '../oracles_encoders');
for (const name of readdirSync(more)) test(`${name} equals the reference`, () => assertEncoder(path.join(more, name)));
