import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { RunDetail } from '../../server/protocol/runs.js';
import { movedToken, searchTokens } from '../frame/keys.js';
import { hover, select, selection } from '../frame/selection.js';
import { TokenSearch, useSearchKey } from '../frame/tokenSearch.js';
import type { TokenColour } from '../frame/tokenText.js';
import { branch } from './session.js';
import { boxId, boxOf, tokenOf, useBoxes, useMark } from './tokenBoxes.js';

interface Props {
  readonly run: RunDetail;
  readonly colour: TokenColour;
  /** Whether the model goes on from a token. */
  readonly branches: boolean;
  /** Enter on a token: into its alternatives. */
  onEnter(): void;
}

/** The run as running text, one box a token. Click selects, Alt+click generates again from there. */
export function TokenFlow({ run, colour, branches, onEnter }: Props) {
  const tokens = run.tokenInfos;
  const list = useRef<HTMLDivElement>(null);
  const query = useSignal<string | null>(null);
  const found = useMemo(() => searchTokens(tokens, query.value ?? ''), [tokens, query.value]);
  const selected = selection.value.token;
  const chunks = useBoxes(tokens, colour, 'token');
  useMarks(list, run.id, found, chunks.length);
  useSearchKey(query);
  const go = (token: number) => {
    hover.value = null;
    select({ token });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const from = selected ?? 0;
    const current = tokens[from];
    const moved = verticalMove(event, list.current, from) ?? movedToken(event, tokens, from, 50);
    if (moved !== null) go(selected === null && event.key.startsWith('Arrow') ? 0 : moved);
    else if (event.key === 'Enter' && event.altKey && current && branches) void branch(run.id, from, current.id);
    else if (event.key === 'Enter' && selected !== null) onEnter();
    else if (event.key === 'Escape') select({ token: null });
    else return;
    event.preventDefault();
  };
  const onClick = (event: MouseEvent) => {
    const token = tokenOf(event);
    const info = token === null ? undefined : tokens[token];
    if (token === null || !info) return;
    if (event.altKey && branches) void branch(run.id, token, info.id);
    else select({ token });
  };
  return (
    <>
      {query.value !== null && <TokenSearch query={query} found={found} current={selected} go={go} />}
      <div
        ref={list}
        class="flow"
        data-run={run.id}
        role="listbox"
        tabIndex={0}
        aria-label={`${tokens.length} tokens. Enter: alternatives.${branches ? ' Alt+Enter: generate again from here.' : ''}`}
        aria-activedescendant={selected === null ? undefined : boxId('token', selected)}
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

/** Marks the selected, hovered and found boxes, and keeps the selected one in sight. */
function useMarks(list: RefObject<HTMLElement | null>, run: string, found: readonly number[], chunks: number): void {
  const selected = selection.value.token;
  useMark(list, 'selected', selected === null ? [] : [selected], chunks);
  useMark(list, 'hovered', hover.value === null ? [] : [hover.value], chunks);
  useMark(list, 'found', found, chunks);
  useEffect(() => {
    if (selected !== null) boxOf(list.current, selected)?.scrollIntoView({ block: 'nearest' });
  }, [selected, run]);
}

/** Up and Down: the token above or below, by where the lines really break. */
function verticalMove(event: KeyboardEvent, list: HTMLElement | null, from: number): number | null {
  if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return null;
  const start = boxOf(list, from)?.getClientRects()[0];
  if (!start) return null;
  const step = event.key === 'ArrowDown' ? 1 : -1;
  let best: { token: number; top: number; distance: number } | null = null;
  for (let token = from + step; ; token += step) {
    const box = boxOf(list, token)?.getClientRects()[0];
    if (!box) break;
    if (Math.abs(box.top - start.top) < 2) continue;
    if (best && Math.abs(box.top - best.top) >= 2) break;
    const distance = Math.abs(box.left - start.left);
    if (!best || distance < best.distance) best = { token, top: box.top, distance };
  }
  return best?.token ?? from;
}
