import type { RunDetail } from '../../server/protocol/runs.js';
import { percent, visibleText } from '../frame/tokenText.js';
import type { Label } from './text.js';

const SPELLED = 6;
const LIKELY = 3;
const LONGEST = 36;

const shortened = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

/** What goes in and what comes out at one token: pieces and ids, and what the model says next. */
export function endLabels(run: RunDetail | null, token: number): { readonly input: Label; readonly output: Label } {
  const label = (title: string, lines: readonly string[]): Label => ({ title, lines, value: null, tone: 'moves' });
  if (!run) return { input: label('tokens', ['ids of the prompt']), output: label('logits', ['scores of the next token']) };
  const { tokenInfos, next } = run;
  const from = Math.max(0, Math.min(token - SPELLED + 1, tokenInfos.length - SPELLED));
  const some = tokenInfos.slice(from, from + SPELLED);
  const more = (texts: readonly string[]) =>
    `${from > 0 ? '… ' : ''}${texts.join(' ')}${from + SPELLED < tokenInfos.length ? ' …' : ''}`;
  const likely = tokenInfos[token + 1]?.alternatives ?? next;
  const text = tokenInfos
    .slice(0, token + 1)
    .map((info) => info.text)
    .join('');
  return {
    input: label(`token ${token} of ${tokenInfos.length}`, [
      shortened(text.replaceAll('\n', '⏎').slice(-LONGEST)),
      more(some.map((info, i) => (from + i === token ? `[${visibleText(info)}]` : visibleText(info)))),
      more(some.map(({ id }) => String(id))),
    ]),
    output: label(
      'next token',
      likely
        .slice(0, LIKELY)
        .map(({ id, text: said, probability }) => `${percent(probability)}  ${visibleText({ text: said, bytes: [] })}  id ${id}`),
    ),
  };
}
