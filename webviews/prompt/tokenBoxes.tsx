import type { VNode } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { TokenInfo } from '../../server/protocol/runs.js';
import { isStrong, spokenToken, type TokenColour, tokenFill, visibleText } from '../frame/tokenText.js';
import './tokenBoxes.css';

/** Tokens in a block at most; blocks end where lines end, so that a longer line is rarely cut. */
const BLOCK = 512;
interface Block {
  readonly tokens: readonly TokenInfo[];
  readonly colour: TokenColour;
  readonly boundary: number;
  readonly node: VNode;
}

/**
 * A box for every token, in blocks of lines that stay the same while others stream in and are laid out only when they are on
 * screen: a long run costs no more a token than a short one. `name` makes the boxes' ids unique in the page.
 */
export function useBoxes(tokens: readonly TokenInfo[], colour: TokenColour, name: string): readonly VNode[] {
  const cache = useRef<Block[]>([]);
  const boundary = useMemo(() => tokens.findIndex(({ role }) => role === 'generated'), [tokens]);
  const blocks: Block[] = [];
  for (let from = 0; from < tokens.length; ) {
    const to = endOfBlock(tokens, from);
    const part = tokens.slice(from, to);
    const known = cache.current[blocks.length];
    const same =
      known?.colour === colour &&
      known.boundary === boundary &&
      known.tokens.length === part.length &&
      part.every((token, i) => known.tokens[i] === token);
    const node = () => <Boxes key={from} tokens={part} colour={colour} name={name} boundary={boundary} />;
    blocks.push(same ? known : { tokens: part, colour, boundary, node: node() });
    from = to;
  }
  cache.current = blocks;
  return blocks.map((block) => block.node);
}

function endOfBlock(tokens: readonly TokenInfo[], from: number): number {
  for (let at = from; at < tokens.length && at < from + BLOCK; at++) if (tokens[at]?.text.endsWith('\n')) return at + 1;
  return Math.min(tokens.length, from + BLOCK);
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
  /** The first generated token. */
  readonly boundary: number;
}

const Boxes = ({ tokens, colour, name, boundary }: BoxesProps) => (
  <div class="token-block" role="presentation">
    {tokens.map((token) => (
      <TokenBox key={token.index} token={token} colour={colour} name={name} first={token.index === boundary && boundary > 0} />
    ))}
  </div>
);

interface BoxProps {
  readonly token: TokenInfo;
  readonly colour: TokenColour;
  readonly name: string;
  readonly first: boolean;
}

function TokenBox({ token, colour, name, first }: BoxProps) {
  const partial = token.text.includes('\uFFFD');
  return (
    <>
      <wbr />
      <span
        id={boxId(name, token.index)}
        data-token={token.index}
        class={`token by-${token.role}${first ? ' boundary' : ''}${partial ? ' bytes' : ''}${isStrong(token, colour) ? ' strong' : ''}`}
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
