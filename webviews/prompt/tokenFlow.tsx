import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { RunDetail, TokenInfo } from '../../server/protocol/runs.js';
import { movedToken, searchTokens } from '../frame/keys.js';
import { hover, select, selection } from '../frame/selection.js';
import { TokenSearch } from '../frame/tokenSearch.js';
import { spokenToken, type TokenColour, tokenFill, visibleText } from '../frame/tokenText.js';
import { branch } from './session.js';

interface Props {
  readonly run: RunDetail;
  readonly colour: TokenColour;
  /** Enter on a token: into its alternatives. */
  onEnter(): void;
}

/** The run as running text, one box a token. Click selects, Alt+click generates again from there. */
export function TokenFlow({ run, colour, onEnter }: Props) {
  const tokens = run.tokenInfos;
  const list = useRef<HTMLDivElement>(null);
  const query = useSignal<string | null>(null);
  const found = useMemo(() => searchTokens(tokens, query.value ?? ''), [tokens, query.value]);
  const selected = selection.value.token;
  const chunks = useChunks(tokens, colour);
  useMark(list, 'selected', selected === null ? [] : [selected], chunks.length);
  useMark(list, 'hovered', hover.value === null ? [] : [hover.value], chunks.length);
  useMark(list, 'found', found, chunks.length);

  const go = (token: number) => {
    select({ token });
    element(list.current, token)?.scrollIntoView({ block: 'nearest' });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const from = selected ?? 0;
    const current = tokens[from];
    const moved = verticalMove(event, list.current, from) ?? movedToken(event, tokens, from, 50);
    if (moved !== null) go(selected === null && event.key.startsWith('Arrow') ? 0 : moved);
    else if (event.key === '/') query.value = '';
    else if (event.key === 'Enter' && event.altKey && current) void branch(run.id, from, current.id);
    else if (event.key === 'Enter' && selected !== null) onEnter();
    else if (event.key === 'Escape') select({ token: null });
    else return;
    event.preventDefault();
  };
  const onClick = (event: MouseEvent) => {
    const token = tokenOf(event);
    const info = token === null ? undefined : tokens[token];
    if (token === null || !info) return;
    if (event.altKey) void branch(run.id, token, info.id);
    else select({ token });
  };
  return (
    <>
      {query.value !== null && <TokenSearch query={query} found={found} current={selected} go={go} />}
      <div
        ref={list}
        class="flow"
        role="listbox"
        tabIndex={0}
        aria-label={`${tokens.length} tokens. Enter: alternatives. Alt+Enter: generate again from here.`}
        aria-activedescendant={selected === null ? undefined : `token-${selected}`}
        onKeyDown={onKeyDown}
        onClick={onClick}
        onMouseMove={(event) => {
          hover.value = tokenOf(event);
        }}
        onMouseLeave={() => {
          hover.value = null;
        }}
      >
        {chunks}
      </div>
    </>
  );
}

const tokenOf = (event: MouseEvent): number | null => {
  const index = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-token]')?.dataset.token : undefined;
  return index === undefined ? null : Number(index);
};

const element = (list: HTMLElement | null, token: number): HTMLElement | null =>
  list?.querySelector<HTMLElement>(`#token-${token}`) ?? null;

/** Up and Down: the token above or below, by where the lines really break. */
function verticalMove(event: KeyboardEvent, list: HTMLElement | null, from: number): number | null {
  if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return null;
  const start = element(list, from)?.getClientRects()[0];
  if (!start) return null;
  const step = event.key === 'ArrowDown' ? 1 : -1;
  let best: { token: number; top: number; distance: number } | null = null;
  for (let token = from + step; ; token += step) {
    const box = element(list, token)?.getClientRects()[0];
    if (!box) break;
    if (Math.abs(box.top - start.top) < 2) continue;
    if (best && Math.abs(box.top - best.top) >= 2) break;
    const distance = Math.abs(box.left - start.left);
    if (!best || distance < best.distance) best = { token, top: box.top, distance };
  }
  return best?.token ?? from;
}

/** Marks without drawing thousands of tokens again: the pointer moves often, the tokens rarely change. */
function useMark(list: { readonly current: HTMLElement | null }, mark: string, tokens: readonly number[], chunks: number): void {
  const key = tokens.join(' ');
  useEffect(() => {
    const marked = tokens.flatMap((token) => element(list.current, token) ?? []);
    for (const each of marked) each.classList.add(mark);
    return () => {
      for (const each of marked) each.classList.remove(mark);
    };
  }, [key, chunks]);
}

const CHUNK = 64;
interface Chunk {
  readonly tokens: readonly TokenInfo[];
  readonly colour: TokenColour;
  readonly node: VNode;
}

/** Nodes of 64 tokens that stay the same while others stream in, so that a long run costs no more a token than a short one. */
function useChunks(tokens: readonly TokenInfo[], colour: TokenColour): readonly VNode[] {
  const cache = useRef<Chunk[]>([]);
  const chunks: Chunk[] = [];
  for (let from = 0; from < tokens.length; from += CHUNK) {
    const part = tokens.slice(from, from + CHUNK);
    const known = cache.current[chunks.length];
    const same =
      known?.colour === colour && known.tokens.length === part.length && part.every((token, i) => known.tokens[i] === token);
    chunks.push(same ? known : { tokens: part, colour, node: <ChunkOf key={from} tokens={part} colour={colour} /> });
  }
  cache.current = chunks;
  return chunks.map((chunk) => chunk.node);
}

const ChunkOf = ({ tokens, colour }: Pick<Chunk, 'tokens' | 'colour'>) => (
  <>
    {tokens.map((token) => (
      <TokenBox key={token.index} token={token} colour={colour} />
    ))}
  </>
);

function TokenBox({ token, colour }: { readonly token: TokenInfo; readonly colour: TokenColour }) {
  const classes = ['token', `by-${token.role}`, token.text.includes('\uFFFD') ? 'bytes' : ''].filter(Boolean).join(' ');
  return (
    <>
      <wbr />
      <span
        id={`token-${token.index}`}
        data-token={token.index}
        class={classes}
        role="option"
        tabIndex={-1}
        aria-selected={false}
        aria-label={spokenToken(token)}
        style={{ backgroundColor: tokenFill(token, colour) }}
      >
        <Visible text={visibleText(token)} />
      </span>
    </>
  );
}

const MARKS = /([·⏎⇥␍])/u;

/** Signs that stand for spaces are quieter than letters; a line really ends after its sign. */
const Visible = ({ text }: { readonly text: string }) => (
  <>
    {text.split(MARKS).map((part, n) =>
      MARKS.test(part) ? (
        <span key={String(n)} class="blank">
          {part}
          {part === '⏎' && <br />}
        </span>
      ) : (
        part
      ),
    )}
  </>
);
