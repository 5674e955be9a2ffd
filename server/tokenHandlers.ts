import type { Handlers } from './handlers.types.js';
import type { Lab } from './lab/lab.js';
import { TokenLab } from './lab/tokenLab.js';
import { Vocabularies } from './lab/vocabularies.js';
import { requireTokenizer } from './open.js';
import { promptText } from './prompt.js';
import type { Method } from './protocol/requests.js';

type TokenMethod = Extract<Method, `tokens/${string}`>;

/** What the server answers about tokens. */
export function tokenHandlers(lab: Lab): Pick<Handlers, TokenMethod> {
  const vocabularies = new Vocabularies(lab);
  const texts = new TokenLab(vocabularies);
  return {
    'tokens/encode': ({ model, text, chat }) => {
      const tokenizer = requireTokenizer(lab.models.get(model));
      const whole = promptText(tokenizer, text, chat);
      return { text: whole, pieces: tokenizer.encode(whole, { special: !chat }) };
    },
    'tokens/vocabularies': ({ folders }) => vocabularies.list(folders),
    'tokens/sync': (edit) => {
      texts.sync(edit);
      return {};
    },
    'tokens/compare': (question, { signal, progress }) => texts.compare(question, signal, progress),
    'tokens/window': (question) => texts.window(question),
    'tokens/merges': ({ vocabulary, id }) => texts.origin(vocabulary, id),
  };
}
