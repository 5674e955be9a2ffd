import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCheckpoint } from '../../server/formats/registry.js';
import { conceptHover } from '../../server/language/conceptHover.js';
import { NOTHING_ACTIVE } from '../../server/language/context.js';
import { concepts } from '../../server/language/knowledge.js';
import { summarise } from '../../server/summary.js';
import { marked } from './marked.js';

test('the knowledge base is large, whole and unambiguous', () => {
  assert.ok(concepts.length >= 200, `${concepts.length} concepts`);
  const seen = new Set<string>();
  for (const { kind, names, title, what, paper } of concepts) {
    for (const name of names) {
      assert.ok(!seen.has(`${kind} ${name}`), `${kind} ${name} is explained twice`);
      seen.add(`${kind} ${name}`);
    }
    assert.ok(title.length > 2 && /^[\p{L}\p{N}`]/u.test(title), title);
    assert.ok(what.length > 15 && /[.:)…]$/.test(what.trim()), `${title}: ${what}`);
    if (paper?.arxiv) assert.match(paper.arxiv, /^\d{4}\.\d{5}$/);
  }
});

test('every probe and state of the models that run is explained, and every probe that a concept names exists', async () => {
  const folders = ['tiny-llama', 'tiny-mamba', 'tiny-rwkv7'].map((name) => `media/models/${name}`);
  const others = ['ttt_linear', 'ttt_mlp', 'megalodon', 'nsa', 'vit', 'dinov2', 'clip', 'siglip', 'vim', 'bert'].map(
    (name) => `test/fixtures/oracles/${name}`,
  );
  const summaries = await Promise.all([...folders, ...others].map(async (name) => summarise(await openCheckpoint(name))));
  const real = new Set(
    summaries.flatMap(({ probes }) =>
      probes.map((name) => name.replace(/^(?:vision\.|text\.)?(?:blocks\.(?:i|\d+)\.)?/, '').replace(/\.initial$/, '')),
    ),
  );
  const states = new Set(summaries.flatMap(({ layers }) => layers.flatMap(({ state }) => state.map(({ name }) => name))));
  const explained = new Set(concepts.filter(({ kind }) => kind === 'probe').flatMap(({ names }) => names));
  for (const name of real) assert.ok(explained.has(name), `probe ${name}`);
  for (const name of states) assert.ok(explained.has(`state.${name}`), `state ${name}`);
  for (const { title, probes = [], states: own = [] } of concepts) {
    for (const name of probes) assert.ok(explained.has(name), `${title} names ${name}`);
    for (const name of own) assert.ok(explained.has(`state.${name}`), `${title} names state ${name}`);
  }
});

/** `│` is the cursor, and the name that is explained stands between ‹ and ›; none when nothing is. */
const cases: readonly (readonly [language: string, uri: string, text: string, title: string | null])[] = [
  ['python', 'a.py', 'attn = F.‹soft│max›(scores, dim=-1)', 'Softmax'],
  ['python', 'a.py', '# the soft│max is taken over keys', null],
  ['python', 'a.py', 'x = 1  # see hidden_│size', null],
  ['python', 'a.py', '"""Uses soft│max over the keys."""', null],
  ['python', 'a.py', 'raise ValueError("hidden_│size must be positive")', null],
  ['python', 'a.py', 'print("soft│max")', null],
  ['python', 'a.py', 'my_soft│max_thing(x)', null],
  ['python', 'a.py', 'self.‹q_│proj› = nn.Linear(d, h * e, bias=False)', 'Query projection W_Q'],
  ['python', 'a.py', 'out = ‹scaled_dot_product_│attention›(q, k, v, is_causal=True)', 'Scaled dot-product attention'],
  ['python', 'a.py', 'y = ‹│selective_scan_fn›(u, delta, A, B, C)', 'Selective scan'],
  ['python', 'a.py', 'w = state["‹blocks.3.attn.│pattern›"]', 'Attention pattern'],
  ['python', 'a.py', "cache['‹blocks.0.attn.hook_│pattern›']", 'Attention pattern'],
  ['python', 'a.py', "x = run['‹blocks.2.time_mix.│w›']", 'Decay'],
  ['python', 'a.py', "x = run['‹blocks.2.state.w│kv›']", 'WKV state S'],
  ['python', 'a.py', 'w["model.layers.0.self_attn.‹k_│proj›.weight"]', 'Key projection W_K'],
  ['python', 'a.py', 'w["backbone.layers.0.mixer.‹│D›"]', 'Skip of the scan'],
  ['python', 'a.py', 'D│ = 512', null],
  ['python', 'a.py', 'h = config.‹hidden_│size›', 'Width of the residual stream'],
  ['python', 'a.py', 'hidden_│size = 3', null],
  ['python', 'a.py', 'y = x.expand│(2, 3)', null],
  ['python', 'a.py', 'c = cfg.‹expand│›', 'Expansion'],
  ['python', 'a.py', 'LlamaConfig(‹num_key_value_│heads›=2)', 'Key/value heads (grouped-query attention)'],
  ['python', 'a.py', 'model.generate(ids, ‹temp│erature›=0.7, top_k=40)', 'Temperature'],
  ['python', 'a.py', 'model.generate(\n    ids,\n    ‹top_│p›=0.9,\n)', 'Top-p (nucleus)'],
  ['python', 'a.py', 'temp│erature = read_sensor()', null],
  ['python', 'a.py', 'if f(temp│erature == 3):', null],
  ['python', 'a.py', 'p = params["‹temp│erature›"]', 'Temperature'],
  ['python', 'a.py', 'weather("temp│erature")', null],
  ['python', 'a.py', 'm = ‹Mamba│ForCausalLM›.from_pretrained(p)', 'Mamba'],
  ['python', 'a.py', 'import mam│ba', null],
  ['python', 'a.py', 'out.‹past_key_│values›', 'KV cache'],
  ['python', 'a.py', 's = "it\'s # not a comment"; ‹rotate_│half›(q)', 'Apply RoPE'],
  ['python', 'a.py', "LoraConfig(target_modules=['‹v_│proj›'])", 'Value projection W_V'],
  ['typescript', 'a.ts', 'const n = config.‹rope_│theta›; // rope_theta', 'RoPE base θ'],
  ['typescript', 'a.ts', 'const n = 1; // rope_│theta', null],
  ['typescript', 'a.ts', '/* q_│proj */', null],
  ['typescript', 'a.ts', "const p = '‹blocks.1.mixer.│delta›';", 'Step size Δ'],
  ['json', 'config.json', '{"model_type": "llama", "‹rms_norm_│eps›": 1e-5}', 'ε of the norms'],
  ['json', 'config.json', '{"model_type": "‹rwkv│7›"}', 'RWKV-7 "Goose"'],
  ['json', 'config.json', '{"architectures": ["‹Qwen3For│CausalLM›"]}', 'Qwen3'],
  ['json', 'config.json', '{"rope_parameters": {"‹low_freq_│factor›": 1}, "model_type": "llama"}', 'Llama 3 RoPE band'],
  ['json', 'generation_config.json', '{"‹repetition_│penalty›": 1.1}', 'Repetition penalty'],
  ['json', 'package.json', '{"expand": 1, "temp│erature": 2}', null],
  ['json', 'package.json', '{"vocab_│size": 2}', null],
  [
    'json',
    'model.safetensors.index.json',
    '{"weight_map": {"model.layers.7.mlp.‹gate_│proj›.weight": "a"}}',
    'Gate of the gated MLP',
  ],
  ['json', 'config.json', '{"model_type": "llama", "note": "hidden_size is soft│max"}', null],
  ['markdown', 'a.md', 'The soft│max of q_proj', null],
  ['rust', 'a.rs', 'let q_│proj = 1;', null],
];

for (const [language, name, text, title] of cases) {
  test(`${language}: ${text.replace(/\n/g, '⏎')} → ${title ?? 'nothing'}`, async () => {
    const plain = text.replace(/[‹›]/g, '');
    const { document, offset } = marked(plain, language, `file:///work/${name}`);
    const hover = await conceptHover(document, offset, NOTHING_ACTIVE);
    if (title === null) return assert.equal(hover, null);
    const value = (hover?.contents as { value: string } | undefined)?.value ?? '';
    assert.ok(value.startsWith(`**${title}**`), value);
    const [, expected] = /‹(.*)›/s.exec(text.replace('│', '')) as RegExpExecArray;
    assert.equal(hover?.range && document.getText(hover.range), expected);
  });
}
