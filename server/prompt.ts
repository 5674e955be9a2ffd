import { LabError } from './protocol/errors.js';
import type { Tokenizer } from './tokenizer/tokenizer.js';

const noTemplate = () =>
  new LabError({ code: 'CHAT_TEMPLATE', message: 'This model has no chat template.', hint: 'Prompt it without --chat.' });

/** The text that goes in: the prompt itself, or the prompt as a user's turn in the model's chat template. Errors: CHAT_TEMPLATE. */
export function promptText(tokenizer: Tokenizer, prompt: string, chat: boolean): string {
  if (!chat) return prompt;
  if (!tokenizer.renderChat) throw noTemplate();
  return tokenizer.renderChat([{ role: 'user', content: prompt }]);
}

/** A chat template writes its own special tokens; a bare prompt gets those the tokenizer adds. */
export const promptIds = (tokenizer: Tokenizer, prompt: string, chat: boolean): number[] =>
  tokenizer.encode(promptText(tokenizer, prompt, chat), { special: !chat }).map((piece) => piece.id);
