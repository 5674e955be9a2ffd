import type { InspectorId } from '../../server/protocol/host.js';
import { installFake } from './fake.js';
import { MODELS, Synthetic } from './synthetic.js';
import { applyTheme, type ThemeName } from './themes.js';

// index.html?view=attention&theme=light&tokens=1000&model=tiny-mamba&token=17&layer=3&head=2&delay=2000&failing&server=stopped
const query = new URLSearchParams(location.search);
const number = (name: string, otherwise: number) => Number(query.get(name) ?? otherwise);
const view = query.get('view') ?? 'prompt';
const tokens = number('tokens', 30);
const name = query.get('model') ?? 'tiny-llama';

applyTheme((query.get('theme') ?? 'dark') as ThemeName, view === 'prompt' ? 'sideBar' : 'editor');
installFake(
  {
    view: view as InspectorId,
    selection: {
      run: tokens === 0 ? null : `r${MODELS.findIndex((model) => model.name === name)}`,
      token: query.has('token') ? number('token', 0) : null,
      layer: number('layer', 0),
      head: number('head', 0),
    },
    server: query.get('server') === 'stopped' ? 'stopped' : 'ready',
    colour: 'surprisal',
    embedded: MODELS.map((model) => model.path),
    folders: [],
    path: query.get('path'),
  },
  new Synthetic({ tokens, model: name, delay: number('delay', 0), failing: query.has('failing') }),
);

const entry = document.createElement('script');
entry.type = 'module';
entry.src = `${view}.js`;
document.body.append(entry);
const style = document.createElement('link');
style.rel = 'stylesheet';
style.href = `${view}.css`;
document.head.append(style);
