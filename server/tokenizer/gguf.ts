import { tokenizerInvalid, tokenizerUnsupported } from './errors.js';
import { preTokenizerOfGguf } from './ggufPreTokenizers.js';
import { HuggingFaceTokenizer } from './huggingFace.js';
import { sequence, split } from './preTokenizers.js';
import { rwkvWorld } from './rwkvWorld.js';
import { mergesOf } from './sentencePiece.js';
import type { Tokenizer } from './tokenizer.js';
import type { AddedTokenJson, Step, TokenizerJson } from './tokenizerJson.js';

/** Values of `tokenizer.ggml.token_type`. */
const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly types: readonly number[] | null;
}

type Metadata = Readonly<Record<string, unknown>>;

const numbers = (value: unknown): readonly number[] | null =>
  Array.isArray(value) || ArrayBuffer.isView(value) ? Array.from(value as ArrayLike<number | bigint>, Number) : null;

function strings(metadata: Metadata, key: string): readonly string[] {
  const value = metadata[key];
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string'))
    throw tokenizerInvalid(`${key} is not a list of strings`);
  return value;
}

function vocabulary(metadata: Metadata): Vocabulary {
  const tokens = strings(metadata, 'tokenizer.ggml.tokens');
  const types = numbers(metadata['tokenizer.ggml.token_type']);
  if (types && types.length !== tokens.length) throw tokenizerInvalid(`${types.length} token types for ${tokens.length} tokens`);
  return { tokens, types };
}

function addedTokens({ tokens, types }: Vocabulary, spell: (token: string) => string): readonly AddedTokenJson[] {
  return tokens.flatMap((token, id) => {
    const type = types?.[id];
    if (token === '' || (type !== CONTROL && type !== USER_DEFINED && type !== UNKNOWN)) return [];
    return { id, content: spell(token), special: type !== USER_DEFINED, normalized: false };
  });
}

const ids = (tokens: readonly string[]): Record<string, number> => {
  const vocab: Record<string, number> = Object.create(null);
  // The first of two equal spellings wins, as in llama.cpp's look-up of the canonical id.
  tokens.forEach((token, id) => {
    vocab[token] ??= id;
  });
  return vocab;
};

/** BOS and EOS around the text, as `add_bos_token` and `add_eos_token` ask for. */
function postProcessor(metadata: Metadata, tokens: readonly string[], defaults: { readonly bos: boolean }): Step | null {
  const special = (flag: string, id: string, fallback: boolean) => {
    const token = tokens[Number(metadata[`tokenizer.ggml.${id}`] ?? -1)];
    const wanted = metadata[`tokenizer.ggml.${flag}`] ?? fallback;
    return wanted === true && token !== undefined ? [{ SpecialToken: { id: token, type_id: 0 } }] : [];
  };
  const single = [
    ...special('add_bos_token', 'bos_token_id', defaults.bos),
    { Sequence: { id: 'A', type_id: 0 } },
    ...special('add_eos_token', 'eos_token_id', false),
  ];
  return single.length === 1 ? null : { type: 'TemplateProcessing', single, pair: single };
}

/** `gpt2`: byte-level BPE with explicit merges. */
function byteLevel(metadata: Metadata): TokenizerJson {
  const vocab = vocabulary(metadata);
  const name = String(metadata['tokenizer.ggml.pre'] ?? 'default');
  const pre = preTokenizerOfGguf(name);
  if (!pre) throw tokenizerUnsupported(`tokenizer.ggml.pre is "${name}"`);
  return {
    added_tokens: addedTokens(vocab, (token) => token),
    normalizer: pre.composes === true ? { type: 'NFC' } : null,
    pre_tokenizer: sequence(...pre.regexes.map((regex) => split(regex)), {
      type: 'ByteLevel',
      add_prefix_space: false,
      use_regex: false,
    }),
    post_processor: postProcessor(metadata, vocab.tokens, { bos: pre.addsBos ?? false }),
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      vocab: ids(vocab.tokens),
      merges: strings(metadata, 'tokenizer.ggml.merges'),
      ignore_merges: pre.ignoreMerges ?? false,
    },
  };
}

/**
 * Gemma's runs of spaces are user-defined here, and llama.cpp takes the longest that fits. In the model's own tokenizer.json they are made by
 * the first of all merges, 33 spaces as 16 and 17; so they are here.
 */
const isSpaces = (token: string): boolean => /^ {2,}$/.test(token);

/** `llama`: SentencePiece BPE, whose merges are implied by the scores. */
function sentencePiece(metadata: Metadata): TokenizerJson {
  const { tokens, types } = vocabulary(metadata);
  const runs = tokens.map((token, id) => types?.[id] === USER_DEFINED && isSpaces(token));
  const vocab = {
    tokens: tokens.map((token, id) => (runs[id] ? token.replaceAll(' ', '▁') : token)),
    types: types?.map((type, id) => (runs[id] ? NORMAL : type)) ?? null,
  };
  const scores = numbers(metadata['tokenizer.ggml.scores']);
  if (!scores || scores.length !== vocab.tokens.length) throw tokenizerInvalid('tokenizer.ggml.scores do not match the tokens');
  const prepend = metadata['tokenizer.ggml.add_space_prefix'] !== false;
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  const unknown = vocab.types?.indexOf(UNKNOWN) ?? 0;
  const table = ids(vocab.tokens);
  return {
    added_tokens: addedTokens(vocab, (token) => token.replaceAll('▁', ' ')),
    normalizer: { type: 'Sequence', normalizers: [...(prepend ? [{ type: 'Prepend', prepend: '▁' }] : []), replace] },
    pre_tokenizer: null,
    post_processor: postProcessor(metadata, vocab.tokens, { bos: true }),
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prepend ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      vocab: table,
      merges: mergesOf(
        table,
        scores.map((score, id) => (runs[id] ? Number.MAX_VALUE : score)),
      ),
      unk_token: vocab.tokens[unknown] ?? null,
      fuse_unk: true,
      byte_fallback: true,
    },
    impliedMerges: true,
  };
}

/** `bos_token` … as templates know them. */
function config(metadata: Metadata): Record<string, unknown> {
  const tokens = metadata['tokenizer.ggml.tokens'] as readonly string[];
  const names = {
    bos_token: 'bos_token_id',
    eos_token: 'eos_token_id',
    unk_token: 'unknown_token_id',
    pad_token: 'padding_token_id',
  };
  const special = Object.entries(names).map(([name, key]) => [name, tokens[Number(metadata[`tokenizer.ggml.${key}`] ?? -1)]]);
  return Object.fromEntries(special.filter(([, token]) => token !== undefined));
}

/** Ends of text, of turn and of message: any of them ends a generation. */
const endings = (metadata: Metadata): readonly number[] => {
  const keys = ['eos_token_id', 'eot_token_id', 'eom_token_id'].map((key) => metadata[`tokenizer.ggml.${key}`]);
  return [...new Set(keys.filter((id) => id !== undefined).map(Number))];
};

/**
 * The vocabulary in a GGUF's metadata, turned into a tokenizer.json.
 * @throws TOKENIZER_INVALID, TOKENIZER_UNSUPPORTED
 */
export function ggufTokenizer(metadata: Metadata): Tokenizer | Promise<Tokenizer> {
  const model = metadata['tokenizer.ggml.model'];
  if (model === 'rwkv') return rwkvWorld();
  if (model !== 'gpt2' && model !== 'llama') throw tokenizerUnsupported(`tokenizer.ggml.model is ${JSON.stringify(model)}`);
  const json = model === 'gpt2' ? byteLevel(metadata) : sentencePiece(metadata);
  const template = metadata['tokenizer.chat_template'];
  return new HuggingFaceTokenizer(json, config(metadata), typeof template === 'string' ? template : null, endings(metadata));
}
