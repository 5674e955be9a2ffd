import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { TokenInfo } from '../../server/protocol/runs.js';
import { spokenToken, type TokenColour, tokenFill, visibleText } from '../frame/tokenText.js';
import './tokenBoxes.css';

const CHUNK = 64;
interface Chunk {
  readonly tokens: readonly TokenInfo[];
  readonly colour: TokenColour;
  readonly node: VNode;
}

/**
 * A box for every token, in nodes of 64 that stay the same while others stream in: a long run costs no more a token than a
 * short one. `name` makes the boxes' ids unique in the page.
 */
export function useBoxes(tokens: readonly TokenInfo[], colour: TokenColour, name: string): readonly VNode[] {
  const cache = useRef<Chunk[]>([]);
  const chunks: Chunk[] = [];
  for (let from = 0; from < tokens.length; from += CHUNK) {
    const part = tokens.slice(from, from + CHUNK);
    const known = cache.current[chunks.length];
    const same =
      known?.colour === colour && known.tokens.length === part.length && part.every((token, i) => known.tokens[i] === token);
    chunks.push(same ? known : { tokens: part, colour, node: <Boxes key={from} tokens={part} colour={colour} name={name} /> });
  }
  cache.current = chunks;
  return chunks.map((chunk) => chunk.node);
}

/** Marks without drawing thousands of tokens again: the pointer moves often, the tokens rarely change. */
export function useMark(
  list: { readonly current: HTMLElement | null },
  mark: string,
  tokens: readonly number[],
  chunks: number,
): void {
  const key = tokens.join(' ');
  useEffect(() => {
    const marked = tokens.flatMap((token) => boxOf(list.current, token) ?? []);
    const set = (on: boolean) => {
      for (const box of marked) {
        box.classList.toggle(mark, on);
        if (mark === 'selected') box.ariaSelected = String(on);
      }
    };
    set(true);
    return () => set(false);
  }, [key, chunks]);
}

export const boxOf = (list: HTMLElement | null, token: number): HTMLElement | null =>
  list?.querySelector<HTMLElement>(`[data-token="${token}"]`) ?? null;

/** Token whose box an event is in. */
export function tokenOf(event: Event): number | null {
  const index = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-token]')?.dataset.token : undefined;
  return index === undefined ? null : Number(index);
}

export const boxId = (name: string, token: number): string => `${name}-${token}`;

interface BoxesProps {
  readonly tokens: readonly TokenInfo[];
  readonly colour: TokenColour;
  readonly name: string;
}

const Boxes = ({ tokens, colour, name }: BoxesProps) => (
  <>
    {tokens.map((token) => (
      <TokenBox key={token.index} token={token} colour={colour} name={name} />
    ))}
  </>
);

function TokenBox({ token, colour, name }: { readonly token: TokenInfo; readonly colour: TokenColour; readonly name: string }) {
  const classes = ['token', `by-${token.role}`, token.text.includes('\uFFFD') ? 'bytes' : ''].filter(Boolean).join(' ');
  return (
    <>
      <wbr />
      <span
        id={boxId(name, token.index)}
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
