import type { TokenOrigin, TokenPart } from '../protocol/tokens.js';
import { mergeTree } from './merges.js';
import type { TokenizerJson } from './tokenizerJson.js';

/** What a tokenizer knows of its tokens. */
export interface Entries {
  readonly names: readonly (string | undefined)[];
  readonly ids: ReadonlyMap<string, number>;
  /** A token as it is shown, by its id. */
  show(id: number): TokenPart;
}

type Origin = (id: number) => TokenOrigin;

/** Why a tokenizer of this file gives a token, by the token's id. Tables are made at the first question. */
export function originsOf(json: TokenizerJson, entries: Entries): Origin {
  let made: Origin | null = null;
  return (id) => {
    made ??= create(json, entries);
    return made(id);
  };
}

function create(json: TokenizerJson, entries: Entries): Origin {
  switch (json.model.type) {
    case 'BPE':
      return merges(json, entries);
    case 'Unigram':
      return scores(json.model.vocab as readonly (readonly [string, number])[], entries);
    default:
      return longest(String(json.model.continuing_subword_prefix ?? '##'), entries);
  }
}

function merges({ model, impliedMerges }: TokenizerJson, { names, ids, show }: Entries): Origin {
  const list = model.merges as readonly (string | readonly [string, string])[];
  const ranks = new Map<string, number>();
  list.forEach((merge, rank) => {
    const pair = typeof merge === 'string' ? merge : merge.join(' ');
    if (!ranks.has(pair)) ranks.set(pair, rank);
  });
  const prefix = String(model.continuing_subword_prefix ?? '');
  const suffix = String(model.end_of_word_suffix ?? '');
  const rules = {
    rank: (left: string, right: string) => ranks.get(`${left} ${right}`),
    join: (left: string, right: string) => left + (left !== '' && right.startsWith(prefix) ? right.slice(prefix.length) : right),
    part: (spelling: string) => {
      const id = ids.get(spelling);
      return id === undefined ? { id: null, text: spelling, bytes: [] } : show(id);
    },
  };
  return (id) => {
    const tree = mergeTree(alphabet(names[id] ?? '', prefix, suffix), rules);
    return { how: 'merges', tree, order: impliedMerges === true ? 'scores' : 'list', merges: list.length };
  };
}

/** The symbols that merging starts from: characters, the first marked when it continues a word, the last when it ends one. */
function alphabet(token: string, prefix: string, suffix: string): string[] {
  const continues = prefix !== '' && token.startsWith(prefix);
  const ends = suffix !== '' && token.endsWith(suffix) && token !== suffix;
  const characters = [...token.slice(continues ? prefix.length : 0, ends ? -suffix.length : undefined)];
  return characters.map(
    (character, i) => (continues || i > 0 ? prefix : '') + character + (ends && i === characters.length - 1 ? suffix : ''),
  );
}

/** Unigram takes the most probable spelling: what the token is worth, and the next best way to write it. */
function scores(vocab: readonly (readonly [string, number])[], { show }: Entries): Origin {
  const known = new Map(vocab.map(([token, score], id) => [token, { id, score }]));
  const longestToken = vocab.reduce((most, [token]) => Math.max(most, token.length), 0);
  return (id) => {
    const [token, score] = vocab[id] ?? ['', 0];
    const best: ({ readonly score: number; readonly from: number; readonly id: number } | null)[] = [
      { score: 0, from: 0, id: -1 },
    ];
    for (let to = 1; to <= token.length; to++) {
      best[to] = null;
      for (let from = Math.max(0, to - longestToken); from < to; from++) {
        const [before, part] = [best[from], known.get(token.slice(from, to))];
        if (!before || !part || part.id === id) continue;
        const sum = before.score + part.score;
        if (sum > (best[to]?.score ?? -Infinity)) best[to] = { score: sum, from, id: part.id };
      }
    }
    const parts: TokenPart[] = [];
    for (let at = token.length, step = best[at]; at > 0 && step; at = step.from, step = best[at]) parts.unshift(show(step.id));
    const end = best[token.length];
    const otherwise = end && token !== '' ? { parts, score: end.score } : null;
    return { how: 'score', score, rank: vocab.filter(([, other]) => other > score).length, otherwise };
  };
}

/** WordPiece takes the longest entry that fits: the shorter ones that do. */
function longest(prefix: string, { names, ids, show }: Entries): Origin {
  return (id) => {
    const token = names[id] ?? '';
    const first = prefix !== '' && token.startsWith(prefix) ? prefix.length + 1 : 1;
    const shorter: TokenPart[] = [];
    for (let length = first; length < token.length; length++) {
      const other = ids.get(token.slice(0, length));
      if (other !== undefined) shorter.push(show(other));
    }
    return { how: 'longest', shorter };
  };
}
