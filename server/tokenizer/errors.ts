import { LabError } from '../protocol/errors.js';

/** The tokenizer's files contradict themselves or lack a part. */
export const tokenizerInvalid = (what: string, cause?: unknown): LabError =>
  new LabError(
    {
      code: 'TOKENIZER_INVALID',
      message: `The tokenizer cannot be read: ${what}.`,
      hint: 'Download tokenizer.json again, or save it again with the tokenizers library (tokenizer.save("tokenizer.json")).',
    },
    { cause },
  );

/** The tokenizer is well-formed, but of a kind that is not implemented. */
export const tokenizerUnsupported = (what: string): LabError =>
  new LabError({
    code: 'TOKENIZER_UNSUPPORTED',
    message: `This tokenizer is not supported: ${what}.`,
    hint: 'The model can still be run on token ids; with text, use its Hugging Face folder with a tokenizer.json.',
  });

/** The chat template does not parse, or refuses these messages (`raise_exception`). */
export const chatTemplateRefused = (cause: unknown): LabError =>
  new LabError(
    {
      code: 'CHAT_TEMPLATE',
      message: `The chat template failed: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Some templates accept no system message or ask for turns that alternate; or prompt the model without the chat template.',
    },
    { cause },
  );

/** `known` names every tokenizer that comes with the lab. */
export const tokenizerUnknown = (name: string, known: readonly string[]): LabError =>
  new LabError({
    code: 'TOKENIZER_UNKNOWN',
    message: `There is no tokenizer called ${JSON.stringify(name)}.`,
    hint: `Choose one of ${known.join(', ')}, or give the path of a model to use its own.`,
  });
