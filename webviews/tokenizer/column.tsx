import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { TokenWindow, WindowToken } from '../../server/protocol/tokens.js';
import { movedToken } from '../frame/keys.js';
import { Failed } from '../frame/states.js';
import { editorDocument } from '../host.js';
import { touched } from './figures.js';
import { type Focus, focus, focusOn, nameOf } from './lab.js';
import { tokenLabel } from './tokenText.js';

type Column = TokenWindow['columns'][number];
type Shown = Extract<Column, { readonly tokens: unknown }>;

interface Props {
  readonly window: TokenWindow;
  readonly column: Column;
}

/** A stretch of the text in one vocabulary: a box a token. */
export function TokenColumn({ window, column }: Props) {
  return (
    <section class="token-column" aria-label={nameOf(column.vocabulary)}>
      <h2>{nameOf(column.vocabulary)}</h2>
      {'error' in column ? <Failed error={column.error} /> : <Boxes window={window} column={column} />}
    </section>
  );
}

/** Index of the focused token in this column, or of the first that the selection touches. */
export function cursorOf(column: Shown, selection: readonly [number, number], focused: Focus | null): number | null {
  const { tokens, vocabulary } = column;
  if (focused?.vocabulary === vocabulary && focused.token.start === selection[0] && focused.token.end === selection[1]) {
    const same = tokens.flatMap(({ start, end }, i) => (start === focused.token.start && end === focused.token.end ? [i] : []));
    const index = same[focused.nth];
    if (index !== undefined) return index;
  }
  return touched(tokens, selection)[0] ?? null;
}

function Boxes({ window, column }: { readonly window: TokenWindow; readonly column: Shown }) {
  const list = useRef<HTMLDivElement>(null);
  const { tokens, vocabulary } = column;
  const selection = editorDocument.value?.selection ?? [0, 0];
  const cursor = cursorOf(column, selection, focus.value);
  const boxes = useMemo(() => <Tokens window={window} column={column} />, [window, column]);
  useMarks(list, touched(tokens, selection), cursor, boxes);
  const onKeyDown = (event: KeyboardEvent) => {
    const moved = movedToken(event, tokens, cursor ?? -1, 40);
    if (moved === null) return;
    event.preventDefault();
    focusOn(vocabulary, tokens, moved);
  };
  const onClick = (event: MouseEvent) => {
    const box = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-token]') : null;
    if (box) focusOn(vocabulary, tokens, Number(box.dataset.token));
  };
  return (
    <div
      ref={list}
      class="token-text"
      role="listbox"
      tabIndex={0}
      aria-label={`${tokens.length} tokens of ${nameOf(vocabulary)}`}
      aria-activedescendant={cursor === null ? undefined : boxId(vocabulary, cursor)}
      onKeyDown={onKeyDown}
      onClick={onClick}
    >
      {boxes}
    </div>
  );
}

const boxId = (vocabulary: string, index: number) => `token-${vocabulary}-${index}`;

/** Marks by class, without drawing thousands of tokens again. */
function useMarks(
  list: { readonly current: HTMLElement | null },
  selected: readonly number[],
  cursor: number | null,
  boxes: unknown,
) {
  const key = selected.join(' ');
  useEffect(() => {
    const box = (index: number) => list.current?.querySelector<HTMLElement>(`[data-token="${index}"]`);
    const marked = selected.flatMap((index) => box(index) ?? []);
    for (const each of marked) {
      each.classList.add('selected');
      each.ariaSelected = 'true';
    }
    const at = cursor === null ? null : box(cursor);
    at?.classList.add('cursor');
    (at ?? marked[0])?.scrollIntoView({ block: 'nearest' });
    return () => {
      for (const each of marked) {
        each.classList.remove('selected');
        each.ariaSelected = 'false';
      }
      at?.classList.remove('cursor');
    };
  }, [key, cursor, boxes]);
}

function Tokens({ window: { text, from }, column: { tokens, first, vocabulary } }: { window: TokenWindow; column: Shown }) {
  return (
    <>
      {tokens.map((token, index) => {
        // Tokens that split a character all have its range: the first shows it.
        const start = Math.max(token.start, tokens[index - 1]?.end ?? from, from);
        const source = text.slice(start - from, Math.max(start, token.end) - from);
        const parity = ((first ?? 0) + index) % 2;
        return (
          <Box
            key={`${index} ${token.id}`}
            token={token}
            id={boxId(vocabulary, index)}
            index={index}
            parity={parity}
            source={source}
          />
        );
      })}
    </>
  );
}

interface BoxProps {
  readonly token: WindowToken;
  readonly id: string;
  readonly index: number;
  readonly parity: number;
  /** Its text in the document, without what the token before shows. */
  readonly source: string;
}

const BLANK = /([·⏎⇥␍])/u;

function Box({ token, id, index, parity, source }: BoxProps) {
  const { character, text } = tokenLabel(token, source);
  const isBytes = character !== '' || (token.role !== 'unknown' && token.text.includes('\uFFFD'));
  return (
    <>
      <wbr />
      <span
        id={id}
        data-token={index}
        data-id={token.id}
        class={`token tint${parity} role-${token.role}${isBytes ? ' bytes' : ''}`}
        role="option"
        tabIndex={-1}
        aria-selected={false}
      >
        {character && <span class="character">{character}</span>}
        {text.split(BLANK).map((part, n) =>
          BLANK.test(part) ? (
            <span key={String(n)} class="blank">
              {part}
            </span>
          ) : (
            part
          ),
        )}
      </span>
      {token.text.endsWith('\n') && token.role !== 'unknown' && <br />}
    </>
  );
}
