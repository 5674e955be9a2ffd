import type { RefObject } from 'preact';
import type { Alternative, RunDetail, TokenInfo } from '../../server/protocol/runs.js';
import { shownToken } from '../frame/selection.js';
import { hex, percent, visibleText } from '../frame/tokenText.js';
import { branch } from './session.js';

interface Props {
  readonly run: RunDetail;
  readonly list: RefObject<HTMLOListElement | null>;
  leave(): void;
}

/** The token under the pointer, or the selected one: what it is, how likely it was, and what else might have come. */
export function TokenCard({ run, list, leave }: Props) {
  const index = shownToken.value;
  const token = index === null ? undefined : run.tokenInfos[index];
  if (!token)
    return (
      <p class="card-hint">
        Point at a token for its probability and alternatives. Click selects it, Alt+click generates again from there.
      </p>
    );
  return (
    <section class="card" aria-label={`Token ${token.index}`}>
      <header class="card-head">
        <code class="card-text">{visibleText(token)}</code>
        <span class="quiet">{`token ${token.index} · ${token.role}`}</span>
      </header>
      <Facts token={token} />
      {token.probability === null ? (
        <p class="quiet">The first token has no probability: nothing comes before it.</p>
      ) : (
        <Alternatives token={token} list={list} leave={leave} choose={(id) => void branch(run.id, token.index, id)} />
      )}
    </section>
  );
}

function Facts({ token }: { readonly token: TokenInfo }) {
  const facts: (readonly [string, string])[] = [
    ['id', String(token.id)],
    ['bytes', hex(token.bytes) || 'none'],
  ];
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

interface AlternativesProps {
  readonly token: TokenInfo;
  readonly list: Props['list'];
  leave(): void;
  choose(id: number): void;
}

/** Top of the distribution this token was drawn from; the token itself is added when it is not among them. */
function Alternatives({ token, list, leave, choose }: AlternativesProps) {
  const own: Alternative = { id: token.id, text: token.text, probability: token.probability ?? 0 };
  const top = token.alternatives.slice(0, 8);
  const rows = top.some(({ id }) => id === own.id) ? top : [...top, own];
  const most = Math.max(...rows.map(({ probability }) => probability), Number.MIN_VALUE);
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
      {rows.map((row) => (
        <li key={row.id}>
          <button
            type="button"
            class={row.id === token.id ? 'alternative own' : 'alternative'}
            aria-label={`${row.text}, ${percent(row.probability)}${row.id === token.id ? ', this token' : ''}: branch`}
            title={row.id === token.id ? 'Generate again from here' : 'Branch: go on with this token instead'}
            onClick={() => choose(row.id)}
          >
            <code>{visibleText({ text: row.text, bytes: row.id === token.id ? token.bytes : [] })}</code>
            <span class="share-bar" style={{ width: `${(100 * row.probability) / most}%` }} />
            <span class="share">{percent(row.probability)}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}
