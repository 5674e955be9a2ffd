import { placesOf } from './codePlaces.js';

/** A model named in a call of `from_pretrained`. */
export interface PretrainedCall {
  /** Offset of the name `from_pretrained`. */
  readonly offset: number;
  /** What is between the quotes: a path or an id of the hub. */
  readonly model: string;
  /** Offsets of the model between the quotes. */
  readonly start: number;
  readonly end: number;
}

const CALL = /\bfrom_pretrained\s*\(\s*(?:pretrained_model_name_or_path\s*=\s*)?[rR]?$/;

/** Calls of `from_pretrained("…")` with a literal, in code; not those in comments or strings. */
export function pretrainedCalls(text: string, language: string): readonly PretrainedCall[] {
  const calls: PretrainedCall[] = [];
  let codeFrom = 0;
  for (const { kind, start, end } of placesOf(text, language)) {
    const opening = kind === 'string' ? text.slice(codeFrom, start).replace(/["'`]{1,3}$/, '') : '';
    const match = CALL.exec(opening);
    const model = text.slice(start, end);
    if (match && model !== '' && !/[\n{]/.test(model)) calls.push({ offset: codeFrom + match.index, model, start, end });
    codeFrom = kind === 'string' ? end + 1 : end;
  }
  return calls;
}
