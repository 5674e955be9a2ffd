import { Template } from '@huggingface/jinja';
import { chatTemplateRefused } from './errors.js';
import type { ChatMessage } from './tokenizer.js';

/** Names of the special tokens as templates know them: bos_token, eos_token, pad_token … */
export type SpecialTokens = Readonly<Record<string, string>>;

/**
 * The template to use: the file's own, else the one in tokenizer_config.json, which may be a string or a list of named ones.
 */
export function chooseTemplate(file: string | null, config: unknown): string | null {
  if (file !== null) return file;
  if (typeof config === 'string') return config;
  if (!Array.isArray(config)) return null;
  const named = config.filter((entry): entry is { name: string; template: string } => typeof entry?.template === 'string');
  return (named.find((entry) => entry.name === 'default') ?? named[0])?.template ?? null;
}

/**
 * Renders messages with the prompt for the assistant's turn at the end.
 * Parsed at first use, so that a broken template does not keep a model from opening.
 * @throws CHAT_TEMPLATE
 */
export function chatRenderer(
  source: string | null,
  special: SpecialTokens,
): ((messages: readonly ChatMessage[]) => string) | null {
  if (source === null) return null;
  let template: Template | null = null;
  return (messages) => {
    try {
      template ??= new Template(source);
      return template.render({ ...special, messages, add_generation_prompt: true });
    } catch (cause) {
      throw chatTemplateRefused(cause);
    }
  };
}
