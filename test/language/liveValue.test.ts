import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { conceptHover } from '../../server/language/conceptHover.js';
import type { ActiveContext } from '../../server/language/context.js';
import { activeModel } from './activeModel.js';
import { marked } from './marked.js';

const PROMPT = 'Anna has the red kite. Tom has the blue boat.\nQ: Who has the kite?\nA:';
let llama: Awaited<ReturnType<typeof activeModel>>;
let rwkv: Awaited<ReturnType<typeof activeModel>>;
before(async () => {
  llama = await activeModel('tiny-llama', PROMPT);
  rwkv = await activeModel('tiny-rwkv7', PROMPT);
});
after(async () => {
  await llama.close();
  await rwkv.close();
});

async function hoverText(text: string, language: string, context: ActiveContext, name = 'a.py'): Promise<string> {
  const { document, offset } = marked(text, language, `file:///work/${name}`);
  const hover = await conceptHover(document, offset, context);
  assert.ok(hover, text);
  return (hover.contents as { value: string }).value;
}

test('a config key shows its value in the active model, under the spelling that is there', async () => {
  assert.match(await hoverText('config.num_key_value_│heads', 'python', llama), /`num_key_value_heads` = `2`/);
  assert.match(await hoverText('config.n_│embd', 'python', llama), /`hidden_size` = `192`/);
  assert.match(await hoverText('config.rope_│theta', 'python', llama), /`rope_theta` = `10000`/);
});

test('a module shows its tensor: shape, dtype, bytes', async () => {
  const first = await hoverText('self.q_│proj(x)', 'python', llama);
  assert.match(first, /`model\.layers\.0\.self_attn\.q_proj\.weight` \[192, 192\] F16, 73\.7 kB/);
  assert.match(first, /5 such tensors, 369 kB together/);
  const exact = await hoverText('w["model.layers.3.self_attn.k_│proj.weight"]', 'python', llama);
  assert.match(exact, /`model\.layers\.3\.self_attn\.k_proj\.weight` \[64, 192\] F16/);
});

test('a probe shows shape and norm in the active run, of the layer that is named', async () => {
  const T = llama.run?.tokens as number;
  const tensor = (await llama.engine.probes(['blocks.3.attn.pattern'])).get('blocks.3.attn.pattern');
  const norm = Math.sqrt(tensor?.data.reduce((sum, value) => sum + value * value, 0) ?? 0);
  const text = await hoverText('run["blocks.3.attn.│pattern"]', 'python', llama);
  assert.ok(
    text.includes(
      `\`blocks.3.attn.pattern\` [6, ${T}, ${T}] F32, ${((6 * T * T * 4) / 1000).toPrecision(3)} kB, norm ${norm.toPrecision(4)}`,
    ),
    text,
  );
});

test('states: what they are and how big they are now', async () => {
  const T = llama.run?.tokens as number;
  assert.match(
    await hoverText('past_key_│values', 'python', llama),
    new RegExp(
      `state \`blocks\\.0\\.state\\.k\` \\[2, S, 32\\], 256 bytes a token; ${((256 * T) / 1000).toPrecision(3)} kB at ${T} tokens kept`,
    ),
  );
  const wkv = await hoverText('x["blocks.4.state.w│kv"]', 'python', rwkv);
  assert.match(wkv, /state `blocks\.4\.state\.wkv` \[3, 64, 64\], 49\.2 kB/);
  assert.match(wkv, new RegExp(`\`blocks\\.4\\.state\\.wkv\` \\[${T}, 3, 64, 64\\] F32.*norm`));
});

test('what the active model does not have is not made up', async () => {
  const text = await hoverText('selective_scan_│fn(u)', 'python', llama);
  assert.ok(!text.includes('---') && !text.includes('tiny-llama'), text);
  const none = await hoverText('self.q_│proj(x)', 'python', { ...llama, model: null });
  assert.ok(!none.includes('tensors'));
});

test('a probe that is slow is left out, and one that fails says why', async () => {
  const slow: ActiveContext = {
    ...llama,
    readProbe: () => new Promise((resolve) => setTimeout(() => resolve(null), 2000).unref()),
  };
  const started = performance.now();
  assert.match(await hoverText('attn_│weights', 'python', slow), /`blocks\.0\.attn\.pattern`: not read, the model is busy/);
  assert.ok(performance.now() - started < 1000);
  const failing: ActiveContext = { ...llama, readProbe: () => Promise.reject(new Error('The worker ended.')) };
  assert.match(await hoverText('attn_│weights', 'python', failing), /The worker ended/);
});

test('names and values from files cannot become links', async () => {
  const config = { ...llama.config, rope_theta: '` [run](command:modelLab.runPath) `' };
  const model = llama.model && { ...llama.model, name: '[x](command:modelLab.runPath)' };
  const text = await hoverText('config.rope_│theta', 'python', { ...llama, model, config });
  assert.ok(text.includes('`rope_theta` = ``"` [run](command:modelLab.runPath) `"``'), text);
  assert.ok(text.includes('\\[x\\]\\(command:modelLab.runPath\\)'), text);
});
