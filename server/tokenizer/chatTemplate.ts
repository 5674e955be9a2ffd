import { Template } from '@huggingface/jinja';
import { chatTemplateRefused } from './errors.js';
import { strftime } from './strftime.js';
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

/** The library's own `strftime_now` says months in the language of the machine, and cannot be replaced under its name. */
const NOW = 'strftime_in_english';

const GIVEN = {
  tools: null,
  documents: null,
  add_generation_prompt: true,
  [NOW]: (format: string) => strftime(new Date(), format),
};

/** As models of text and images take a message. */
const inParts = ({ role, content }: ChatMessage) => ({ role, content: [{ type: 'text', text: content }] });

/**
 * Renders messages with the prompt for the assistant's turn at the end, as transformers' apply_chat_template does: without tools or
 * documents, which are `none` and not undefined. A template that fails on text, or drops it, gets it in parts.
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
      template ??= new Template(source.replaceAll('strftime_now', NOW));
      return renderChat(template, special, messages);
    } catch (cause) {
      throw chatTemplateRefused(cause);
    }
  };
}

function renderChat(template: Template, special: SpecialTokens, messages: readonly ChatMessage[]): string {
  const render = (messages: readonly unknown[]) => template.render({ ...special, ...GIVEN, messages });
  const says = (text: string) => messages.every(({ content }) => text.includes(content.trim()));
  let text: string | null = null;
  let refused: unknown;
  try {
    text = render(messages);
    if (says(text)) return text;
  } catch (cause) {
    refused = cause;
  }
  try {
    const parts = render(messages.map(inParts));
    if (says(parts)) return parts;
  } catch {
    // what it says of plain text tells more
  }
  if (text === null) throw refused;
  return text;
}
