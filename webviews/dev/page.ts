import type { InspectorId } from '../../server/protocol/host.js';
import { DevDocument } from './document.js';
import { type Backend, installFake } from './fake.js';
import { Live } from './live.js';
import { MODELS, Synthetic } from './synthetic.js';
import { applyTheme, type ThemeName } from './themes.js';

// ?view=attention&theme=light&token=17&layer=3&head=2&server=stopped, and
// invented numbers: &tokens=1000&model=tiny-mamba&delay=2000&failing
// a text for the tokenizer lab (with --live): &text=…&repeat=100
// real ones (serve.mjs --live): &live&model=tiny-mamba&prompt=Once upon a time&max=16, or &prompts=all for every embedded model,
// or &path=/models/mine&prompt=… for one of your own
const query = new URLSearchParams(location.search);
const number = (name: string, otherwise: number) => Number(query.get(name) ?? otherwise);
const view = query.get('view') ?? 'prompt';
const tokens = number('tokens', 30);
const name = query.get('model') ?? 'tiny-llama';

const SAMPLE = 'Anna has the red kite. Tom has the green key.\nQ: Who has the red kite?\nA:';

interface Stage {
  readonly backend: Backend;
  readonly run: string | null;
  readonly embedded: readonly string[];
}

function synthetic(): Stage {
  return {
    backend: new Synthetic({ tokens, model: name, delay: number('delay', 0), failing: query.has('failing') }),
    run: tokens === 0 ? null : `r${MODELS.findIndex((model) => model.name === name)}`,
    embedded: MODELS.map((model) => model.path),
  };
}

async function live(): Promise<Stage> {
  const backend = new Live();
  const embedded = await backend.embedded();
  let run: string | null = null;
  for (const entry of query.has('path') ? [] : embedded) {
    if (entry.name !== name && query.get('prompts') !== 'all') continue;
    const { id } = await backend.run(entry.path, query.get('prompt') ?? SAMPLE, number('max', 24));
    if (entry.name === name) run = id;
  }
  const own = query.get('path');
  const prompt = query.get('prompt');
  if (own !== null && prompt !== null) run = (await backend.run(own, prompt, number('max', 24))).id;
  return { backend, run, embedded: embedded.map(({ path }) => path) };
}

applyTheme((query.get('theme') ?? 'dark') as ThemeName, view === 'prompt' ? 'sideBar' : 'editor');
const { backend, run, embedded } = query.has('live') ? await live() : synthetic();
installFake(
  {
    view: view as InspectorId,
    selection: { run, token: query.has('token') ? number('token', 0) : null, layer: number('layer', 0), head: number('head', 0) },
    server: query.get('server') === 'stopped' ? 'stopped' : 'ready',
    colour: 'surprisal',
    embedded,
    folders: [],
    path: query.get('path'),
    compareWith: null,
    tab: query.get('tab'),
    prices: {},
  },
  backend,
);

const entry = document.createElement('script');
entry.type = 'module';
entry.src = `${view}.js`;
// The toolkit reads the theme when the page is loaded, which here may have been long ago.
entry.onload = () => {
  window.dispatchEvent(new Event('load'));
  const text = query.get('text');
  if (text !== null && backend instanceof Live) void new DevDocument(text.repeat(number('repeat', 1))).open(backend);
};
document.body.append(entry);
const style = document.createElement('link');
style.rel = 'stylesheet';
style.href = `${view}.css`;
document.head.append(style);
