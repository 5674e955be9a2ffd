import { computed, effect, type Signal, signal } from '@preact/signals';
import type { Vocabulary, VocabularyId, WindowToken } from '../../server/protocol/tokens.js';
import { models } from '../frame/selection.js';
import { boot, editorDocument, persisted, request, server } from '../host.js';
import { SPAN, stretchOf } from './figures.js';

/** Vocabularies side by side at most. */
export const MOST = 4;

const isChoice = (value: unknown): value is readonly VocabularyId[] | null =>
  value === null ||
  (Array.isArray(value) && value.length > 0 && value.length <= MOST && value.every((id) => typeof id === 'string'));

const picked: Signal<readonly VocabularyId[] | null> = persisted('vocabularies', null, isChoice);

/** Those shown, until the person chooses: the first open model's, and one that is known. */
export const chosen = computed<readonly VocabularyId[]>(
  () =>
    picked.value ?? [
      ...models.value
        .filter(({ hasTokenizer }) => hasTokenizer)
        .slice(0, 1)
        .map(({ path }) => path),
      'o200k_base',
    ],
);

export const known: Signal<readonly Vocabulary[]> = signal([]);

effect(() => {
  // Models that open or close change the list.
  void models.value;
  if (server.value !== 'ready') return;
  request('tokens/vocabularies', { folders: boot.folders }).then(
    (list) => {
      known.value = list;
    },
    () => undefined,
  );
});

export const nameOf = (id: VocabularyId): string =>
  known.value.find((vocabulary) => vocabulary.id === id)?.name ?? id.split(/[\\/]/).filter(Boolean).at(-1) ?? id;

export function replace(index: number, id: VocabularyId): void {
  picked.value = chosen.value.map((old, i) => (i === index ? id : old));
}

export function remove(index: number): void {
  picked.value = chosen.value.filter((_, i) => i !== index);
}

/** Those that differ most from each other. */
const SUGGESTED = ['o200k_base', 'llama3', 'qwen3', 'rwkv_world', 'cl100k_base'];

/** One that is not shown yet. */
export function add(): void {
  const rank = ({ id }: Vocabulary) => (SUGGESTED.includes(id) ? SUGGESTED.indexOf(id) : SUGGESTED.length);
  const [next] = known.value.filter(({ id }) => !chosen.value.includes(id)).sort((a, b) => rank(a) - rank(b));
  if (next && chosen.value.length < MOST) picked.value = [...chosen.value, next.id];
}

const stretch: Signal<{ readonly document: string; readonly from: number } | null> = signal(null);

effect(() => {
  const document = editorDocument.value;
  const before = stretch.peek();
  const from = document ? stretchOf(document, before) : 0;
  if (document === null) stretch.value = null;
  else if (before?.document !== document.document || before.from !== from) stretch.value = { document: document.document, from };
});

/** The part of the document on screen here. */
export const shown = computed(() => {
  const document = editorDocument.value;
  const from = stretch.value?.document === document?.document ? (stretch.value?.from ?? 0) : 0;
  return document ? { from, to: Math.min(document.length, from + SPAN) } : null;
});

export function showFrom(from: number): void {
  const document = editorDocument.value;
  if (document) stretch.value = { document: document.document, from: Math.max(0, Math.min(from, document.length - 1)) };
}

/** The token whose details are shown: the one that was pointed at last, while its text is selected. */
export interface Focus {
  readonly vocabulary: VocabularyId;
  readonly token: WindowToken;
  /** Among tokens at the same place: those that split one character. */
  readonly nth: number;
}
export const focus: Signal<Focus | null> = signal(null);

export function focusOn(vocabulary: VocabularyId, tokens: readonly WindowToken[], index: number): void {
  const token = tokens[index];
  const document = editorDocument.value;
  if (!token || !document) return;
  const nth = tokens.slice(0, index).filter(({ start, end }) => start === token.start && end === token.end).length;
  focus.value = { vocabulary, token, nth };
  const { start: from, end: to } = token;
  void request('host/selectText', { document: document.document, from, to }).catch(() => undefined);
}
