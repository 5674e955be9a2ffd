import type { RunDetail } from '../../server/protocol/runs.js';
import { percent, visibleText } from '../frame/tokenText.js';
import type { Label } from './text.js';

const SPELLED = 6;
const LIKELY = 3;
const LONGEST = 36;
const LONG = 6;

/** The last of a long text. */
const ending = (text: string): string => (text.length > LONGEST ? `…${text.slice(1 - LONGEST)}` : text);

const shortened = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text);

/** What goes into a tower and what comes out: of a run of it its pieces, ids and what the model says next; names where there are no tokens. */
export function endLabels(run: RunDetail | null, token: number) {
  return (
    tower: string,
    reads: readonly string[],
    says: readonly string[],
  ): { readonly input: Label; readonly output: Label } => {
    const names = (title: string, all: readonly string[]) =>
      label(
        all.length === 1 ? (all[0] as string) : title,
        all.length === 1 ? [] : all.map((name) => shortened(name)).slice(0, LONG),
      );
    const input = reads.includes('tokens') ? label('tokens', ['ids of the prompt']) : names('inputs', reads);
    const output = says.includes('logits') ? label('logits', ['scores of the next token']) : names('outputs', says);
    if (!run || run.tokenInfos.length === 0 || (run.tower ?? '') !== tower) return { input, output };
    const told = ofRun(run, token);
    return says.includes('logits') && told.next ? { input: told.input, output: told.next } : { input: told.input, output };
  };
}

const label = (title: string, lines: readonly string[]): Label => ({ title, lines, value: null, tone: 'moves' });

function ofRun(run: RunDetail, token: number): { readonly input: Label; readonly next: Label | null } {
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
    input: label(`token ${token} of ${tokenInfos.length.toLocaleString('en')}`, [
      ending(text.replaceAll('\n', '⏎')),
      more(some.map((info, i) => (from + i === token ? `[${visibleText(info)}]` : visibleText(info)))),
      more(some.map(({ id }) => String(id))),
    ]),
    next:
      likely.length === 0
        ? null
        : label(
            'next token',
            likely
              .slice(0, LIKELY)
              .map(
                ({ id, text: said, probability }) =>
                  `${percent(probability)}  ${visibleText({ text: said, bytes: [] })}  id ${id}`,
              ),
          ),
  };
}
