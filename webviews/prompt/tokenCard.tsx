import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Alternative, RunDetail, TokenInfo } from '../../server/protocol/runs.js';
import { Patch } from '../frame/patch.js';
import { activePicture, type Picture } from '../frame/picture.js';
import { hover, selection } from '../frame/selection.js';
import { hex, percent, visibleText } from '../frame/tokenText.js';
import { branch } from './session.js';
import { boxOf } from './tokenBoxes.js';

interface Props {
  readonly run: RunDetail;
  readonly list: RefObject<HTMLOListElement | null>;
  /** Whether the model goes on from a token. */
  readonly branches: boolean;
  leave(): void;
}

/** The selected token: what it is, how likely it was, and what else might have come. */
export function TokenCard({ run, list, branches, leave }: Props) {
  const token = run.tokenInfos[selection.value.token ?? -1];
  if (!token)
    return (
      <p class="card-hint">
        {branches
          ? 'Point at a token for its probability and alternatives. Click selects it, Alt+click generates again from there.'
          : 'Point at a token for what it is. Click selects it, and all views follow.'}
      </p>
    );
  return (
    <section class="card" aria-label={`Token ${token.index}`}>
      <CardHead token={token} />
      <Facts token={token} />
      {token.alternatives.length > 0 ? (
        <Alternatives
          token={token}
          list={list}
          leave={leave}
          choose={branches ? (id) => void branch(run.id, token.index, id) : null}
        />
      ) : (
        branches && <p class="quiet">The first token has no probability: nothing comes before it.</p>
      )}
    </section>
  );
}

/** The same of the token under the pointer, beside it. Screen readers hear the live region instead. */
export function TokenHover({ run, flow }: { readonly run: RunDetail; readonly flow: RefObject<HTMLElement | null> }) {
  const token = run.tokenInfos[hover.value ?? -1];
  const card = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const box = token && boxOf(flow.current, token.index)?.getClientRects()[0];
    if (!box || !card.current) return;
    const { offsetWidth: width, offsetHeight: height } = card.current;
    const below = box.bottom + 4;
    const top = below + height <= innerHeight ? below : Math.max(2, box.top - height - 4);
    card.current.style.top = `${top}px`;
    card.current.style.left = `${Math.max(2, Math.min(box.left, document.documentElement.clientWidth - width - 2))}px`;
  }, [token]);
  if (!token || token.index === selection.value.token) return null;
  return (
    <div ref={card} class="hover-card" aria-hidden="true">
      <CardHead token={token} />
      <Facts token={token} />
      {token.alternatives.length > 0 && (
        <div class="alternatives">
          {rowsOf(token).map((row) => (
            <div key={row.id} class={row.id === token.id ? 'alternative own' : 'alternative'}>
              <Share row={row} token={token} />
            </div>
          ))}
        </div>
      )}
    </div>
  );
}

const CardHead = ({ token }: { readonly token: TokenInfo }) => (
  <header class="card-head">
    {activePicture.value && <Patch picture={activePicture.value} token={token.index} size={48} />}
    <code class="card-text">{visibleText(token)}</code>
    <span class="quiet">{`token ${token.index} · ${token.role}`}</span>
  </header>
);

function Facts({ token }: { readonly token: TokenInfo }) {
  const facts: (readonly [string, string])[] = [];
  const cell = activePicture.value?.cells[token.index];
  if (activePicture.value && cell !== undefined) facts.push(...patchFacts(activePicture.value, cell));
  else facts.push(['id', String(token.id)], ['bytes', hex(token.bytes) || 'none']);
  if (token.probability !== null) {
    facts.push(['p', percent(token.probability)]);
    if (token.surprisal !== null) facts.push(['surprisal', `${token.surprisal.toFixed(1)} bits`]);
    if (token.rank !== null) facts.push(['rank', String(token.rank + 1)]);
    if (token.entropy !== null) facts.push(['entropy', `${token.entropy.toFixed(1)} bits`]);
  }
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function patchFacts({ cols, patch }: Picture, cell: number | null): (readonly [string, string])[] {
  if (cell === null) return [['patch', 'none: it stands for the whole image']];
  return [
    ['row', String(Math.floor(cell / cols))],
    ['column', String(cell % cols)],
    ['pixels', `${patch[1]} × ${patch[0]}`],
  ];
}

interface AlternativesProps {
  readonly token: TokenInfo;
  readonly list: Props['list'];
  leave(): void;
  /** Null where the model does not go on from another token. */
  readonly choose: ((id: number) => void) | null;
}

/** Top of the distribution a token was drawn from; the token itself is added when it is not among them. */
function rowsOf(token: TokenInfo): readonly Alternative[] {
  const top = token.alternatives.slice(0, 8);
  if (token.probability === null) return top;
  const own: Alternative = { id: token.id, text: token.text, probability: token.probability };
  return top.some(({ id }) => id === own.id) ? top : [...top, own];
}

function Share({ row, token }: { readonly row: Alternative; readonly token: TokenInfo }) {
  const most = Math.max(token.alternatives[0]?.probability ?? 0, token.probability ?? 0, Number.MIN_VALUE);
  return (
    <>
      <code>{visibleText({ text: row.text, bytes: row.id === token.id ? token.bytes : [] })}</code>
      <span class="share-bar" style={{ width: `${(100 * row.probability) / most}%` }} />
      <span class="share">{percent(row.probability)}</span>
    </>
  );
}

function Alternatives({ token, list, leave, choose }: AlternativesProps) {
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Escape') leave();
    else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const buttons = Array.from(list.current?.querySelectorAll('button') ?? []);
      const at = buttons.indexOf(event.target as HTMLButtonElement);
      buttons[Math.max(0, Math.min(buttons.length - 1, at + (event.key === 'ArrowDown' ? 1 : -1)))]?.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <ol class="alternatives" ref={list} onKeyDown={onKeyDown}>
      {rowsOf(token).map((row) => (
        <li key={row.id}>
          <button
            type="button"
            class={row.id === token.id ? 'alternative own' : 'alternative'}
            title={
              choose ? (row.id === token.id ? 'Generate again from here' : 'Branch: go on with this token instead') : undefined
            }
            onClick={() => choose?.(row.id)}
          >
            <Share row={row} token={token} />
            {row.id === token.id && <span class="visually-hidden">, this token</span>}
          </button>
        </li>
      ))}
    </ol>
  );
}
