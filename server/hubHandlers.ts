import type { Handlers } from './handlers.types.js';
import type { Lab } from './lab/lab.js';

/** What the server answers about the Hugging Face Hub. */
export const hubHandlers = (lab: Lab): Pick<Handlers, 'hub/preview' | 'hub/download' | 'hub/token'> => ({
  'hub/preview': ({ model, revision, variant }, { signal }) => lab.hub.preview(model, revision, variant, signal),
  'hub/download': async ({ model, revision, variant }, { signal, progress }) => {
    const path = await lab.hub.download(model, revision, variant, signal, progress);
    lab.found();
    return { path };
  },
  'hub/token': ({ token }) => {
    lab.hub.token = token;
    return {};
  },
});
