import type { TokenWindow } from '../../server/protocol/tokens.js';
import { Checkbox, IconButton } from '../controls/controls.js';
import '../charts/inspector.css';
import { many } from '../charts/numbers.js';
import { Frame } from '../frame/frame.js';
import { shownValue } from '../frame/loadable.js';
import { mount } from '../frame/mount.js';
import { Empty, Failed, Loaded, ServerState } from '../frame/states.js';
import { useRequest } from '../frame/useRequest.js';
import { editorDocument, persisted, request, server } from '../host.js';
import { cursorOf, TokenColumn } from '../tokenizer/column.js';
import { Comparison } from '../tokenizer/comparison.js';
import { Details } from '../tokenizer/details.js';
import { SPAN } from '../tokenizer/figures.js';
import { chosen, focus, nameOf, showFrom, shown } from '../tokenizer/lab.js';
import { Scripts } from '../tokenizer/scripts.js';
import '../tokenizer/tokenizer.css';
import { spoken } from '../tokenizer/tokenText.js';

const ids = persisted('ids', false, (value): value is boolean => typeof value === 'boolean');
/** Longer than a keystroke, shorter than a thought. */
const SETTLE_MS = 120;

/** The text in the active editor as tokenizers cut it. */
function Tokenizer() {
  const document = editorDocument.value;
  const range = shown.value;
  const of = document && { document: document.document, version: document.version, vocabularies: chosen.value };
  const window = useRequest('tokens/window', of && range && { ...of, ...range });
  const comparison = useRequest('tokens/compare', of && document && { ...of, file: document.file }, SETTLE_MS);
  if (document === null) return <Nothing />;
  const counts = shownValue(comparison);
  const columns = counts?.columns.flatMap((column) => ('tokens' in column ? [column] : [])) ?? [];
  const title = columns.map(({ tokens, name }) => `${many(tokens, 'token')} in ${name}`).join(', ');
  return (
    <Frame
      title={`${document.name}: ${title || 'counting tokens'}`}
      controls={
        <Checkbox
          checked={ids.value}
          title="Show the id of each token"
          onChange={(on) => {
            ids.value = on;
          }}
        >
          Ids
        </Checkbox>
      }
      provenance={null}
      live={spokenToken(shownValue(window))}
      onKey={(event) => page(event.key)}
    >
      <Comparison comparison={counts} />
      {comparison.state === 'failed' && <Failed error={comparison.error} retry={comparison.retry} />}
      {comparison.state === 'loading' && comparison.progress && (
        <progress
          class="counting"
          value={comparison.progress.done}
          max={comparison.progress.total}
          aria-label="Counting tokens"
        />
      )}
      <Position length={document.length} />
      <Loaded of={window} what="The tokens on screen">
        {(value) => <Text window={value} />}
      </Loaded>
      {counts && <Scripts comparison={counts} />}
      {counts && (
        <p class="note">
          {[
            many(counts.text.characters, 'character'),
            many(counts.text.words, 'word'),
            many(counts.text.bytes, 'byte'),
            many(counts.text.lines, 'line'),
          ].join(' · ')}
          <span>{`counted in ${counts.ms.toFixed(0)} ms`}</span>
        </p>
      )}
    </Frame>
  );
}

function Text({ window }: { readonly window: TokenWindow }) {
  const at = focused(window);
  return (
    <>
      <div class={`token-columns${ids.value ? ' ids' : ''}`} data-version={window.version}>
        {window.columns.map((column) => (
          <TokenColumn key={column.vocabulary} window={window} column={column} />
        ))}
      </div>
      {at ? (
        <Details key={`${at.vocabulary} ${at.token.id}`} vocabulary={at.vocabulary} token={at.token} place={at.place} />
      ) : (
        <p class="note">Select text in the editor, or a token here: what it is, and what made it one.</p>
      )}
    </>
  );
}

/** The token whose details are shown: the focused one, else the first that the selection touches in the first vocabulary. */
function focused(window: TokenWindow) {
  const selection = editorDocument.value?.selection ?? [0, 0];
  const named = focus.value?.vocabulary;
  const column = window.columns.find((each) => each.vocabulary === named && 'tokens' in each) ?? window.columns[0];
  if (!column || !('tokens' in column)) return null;
  const index = cursorOf(column, selection, focus.value);
  const token = index === null ? undefined : column.tokens[index];
  if (index === null || !token) return null;
  return { vocabulary: column.vocabulary, token, place: column.first === null ? null : column.first + index };
}

function spokenToken(window: TokenWindow | null): string {
  const at = window && focused(window);
  return at ? spoken(at.token, at.place, nameOf(at.vocabulary)) : '';
}

/** Where in the document the text on screen is, and how to get elsewhere. */
function Position({ length }: { readonly length: number }) {
  const range = shown.value;
  if (!range) return null;
  const { from, to } = range;
  return (
    <div class="position">
      <IconButton icon="chevron-left" label="Earlier text ([)" disabled={from === 0} onClick={() => showFrom(from - SPAN)} />
      <IconButton icon="chevron-right" label="Later text (])" disabled={to >= length} onClick={() => showFrom(to)} />
      <span class="quiet">{`characters ${from.toLocaleString('en')}–${to.toLocaleString('en')} of ${length.toLocaleString('en')}`}</span>
      <Legend />
    </div>
  );
}

const Legend = () => (
  <span class="token-key" aria-hidden="true">
    <span class="token tint0">token</span>
    <span class="token tint1">token</span>
    <span class="token tint0 role-special">special</span>
    <span class="token tint1 role-added">added</span>
    <span class="token tint0 role-byte">byte</span>
    <span class="token tint1 role-unknown">unknown</span>
  </span>
);

function page(key: string): void {
  const range = shown.value;
  if (!range) return;
  if (key === '[') showFrom(range.from - SPAN);
  else if (key === ']' && range.to < (editorDocument.value?.length ?? 0)) showFrom(range.to);
}

const Nothing = () => (
  <Frame title="Tokenizer lab" provenance={null}>
    {server.value === 'ready' ? (
      <Empty
        text="Shows how tokenizers cut the text in the active editor: the borders, ids and bytes of tokens, what made each of them, and how many there are in up to four vocabularies side by side. Open a text, or start a new one."
        action={{ label: 'New text', run: () => request('host/newText', null) }}
      />
    ) : (
      <ServerState />
    )}
  </Frame>
);

mount(Tokenizer);
