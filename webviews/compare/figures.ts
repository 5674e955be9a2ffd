import { growth, rowsKept } from '../../server/protocol/keeps.js';
import type { ModelInfo } from '../../server/protocol/models.js';
import type { RunDetail } from '../../server/protocol/runs.js';
import { bytes, compact, count, many } from '../charts/numbers.js';

/** One fact of one model; `size` is what the bar's length stands for. */
export interface Figure {
  readonly name: string;
  readonly text: string;
  readonly size: number | null;
  /** How it is computed. */
  readonly title: string;
}

/** Facts that can be compared whatever the tokenizer and the kind of memory. */
export function figures(run: RunDetail, model: ModelInfo | null): readonly Figure[] {
  const surprise = surpriseOf(run);
  const state = model && memoryOf(model, run.tokenInfos.length);
  return [
    {
      name: 'loss',
      text: surprise ? `${surprise.perByte.toFixed(3)} bits/byte` : '–',
      size: surprise?.perByte ?? null,
      title:
        'Surprisal of the prompt over its bytes: comparable between tokenizers. The first token is left out, it has no probability.',
    },
    {
      name: 'loss by character',
      text: surprise ? `${surprise.perUnit.toFixed(3)} bits/UTF-16 unit` : '–',
      size: surprise?.perUnit ?? null,
      title: 'The same over UTF-16 units, as editors count characters.',
    },
    {
      name: 'prompt',
      text: many(run.promptTokens, 'token'),
      size: run.promptTokens,
      title: 'Tokens that this model’s tokenizer makes of the prompt.',
    },
    {
      name: 'prefill',
      text: run.reused > 0 ? `reused ${many(run.reused, 'token')}` : `${compact(run.prefillMs)} ms`,
      size: run.reused > 0 ? null : run.prefillMs,
      title:
        run.reused > 0
          ? 'The prompt begins like that of an earlier run, whose tokens were taken over: the time would not be comparable.'
          : 'Time to read the prompt.',
    },
    {
      name: 'decode',
      text: run.tokensPerSecond === null ? '–' : `${compact(run.tokensPerSecond)} tok/s`,
      size: run.tokensPerSecond,
      title: 'Tokens a second while generating.',
    },
    {
      name: 'keeps',
      text: state ? bytes(state.now) : '–',
      size: state ? state.now : null,
      title: 'KV cache or recurrent state after the last token, fp32.',
    },
    {
      name: 'grows',
      text: state ? (state.perToken === 0 ? 'not at all' : `${bytes(state.perToken)} a token`) : '–',
      size: state ? state.perToken : null,
      title: 'What each further token adds: a recurrent state keeps its size.',
    },
    {
      name: 'weights',
      text: model ? `${count(model.parameters)} · ${bytes(model.memory)}` : '–',
      size: model?.memory ?? null,
      title: 'Parameters, and what they hold in memory.',
    },
  ];
}

interface Surprise {
  readonly perByte: number;
  readonly perUnit: number;
}

/** Bits of the prompt's tokens (but the first) by byte and by UTF-16 unit; null when none has a probability. */
export function surpriseOf({ tokenInfos }: Pick<RunDetail, 'tokenInfos'>): Surprise | null {
  let [bits, byteCount, units] = [0, 0, 0];
  for (const { role, surprisal, bytes: own } of tokenInfos) {
    if (role !== 'prompt' || surprisal === null) continue;
    bits += surprisal;
    byteCount += own.length;
    for (const byte of own) units += utf16Units(byte);
  }
  return byteCount > 0 && units > 0 ? { perByte: bits / byteCount, perUnit: bits / units } : null;
}

/** UTF-16 units that begin with a UTF-8 byte: continuation bytes begin none, four-byte characters are two units. */
const utf16Units = (byte: number): number => ((byte & 0xc0) === 0x80 ? 0 : byte >= 0xf0 ? 2 : 1);

/** Bytes of all declared state after so many tokens. */
export function memoryOf(
  { layers }: Pick<ModelInfo, 'layers'>,
  tokens: number,
): { readonly now: number; readonly perToken: number } {
  let [now, perToken] = [0, 0];
  for (const { bytesFixed, bytesPerToken, keeps } of layers.flatMap(({ state }) => state)) {
    now += bytesFixed + bytesPerToken * rowsKept(keeps, tokens);
    perToken += bytesPerToken * growth(keeps, tokens);
  }
  return { now, perToken };
}
