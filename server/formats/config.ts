import { formatError } from './errors.js';
import type { JsonDocument } from './json.js';

/** Keys that size something: whatever they say is allocated, so they are checked before anyone multiplies them. */
const sizes = new Set(
  `hidden_size n_embd d_model num_hidden_layers n_layer num_attention_heads n_head num_key_value_heads head_dim num_heads
  intermediate_size n_inner vocab_size max_position_embeddings n_positions n_ctx state_size conv_kernel expand
  decay_low_rank_dim gate_low_rank_dim a_low_rank_dim v_low_rank_dim attention_hidden_size`.split(/\s+/),
);
const maxSize = 2 ** 31 - 1;

/** config.json as a record. Throws CONFIG_INVALID when it is none, or a size in it is negative, fractional or above 2^31 − 1. */
export function checkConfig({ value, keyOffsets }: JsonDocument, file: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw formatError('CONFIG_INVALID', file, 0, 'The file does not hold a JSON object.');
  for (const [key, size] of Object.entries(value)) {
    if (!sizes.has(key) || typeof size !== 'number') continue;
    if (!Number.isInteger(size) || size < 0 || size > maxSize)
      throw formatError(
        'CONFIG_INVALID',
        file,
        keyOffsets.get(key) ?? null,
        `"${key}" is ${size}; it must be a whole number from 0 to ${maxSize}.`,
      );
  }
  return value as Record<string, unknown>;
}
