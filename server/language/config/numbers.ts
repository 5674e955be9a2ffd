import type { Node } from 'jsonc-parser';
import type { ConfigDocument, Issue } from './document.js';

/** Keys that count something: positive whole numbers, or null where the family fills it in. */
const COUNTS = new Set([
  ...['hidden_size', 'n_embd', 'd_model', 'num_hidden_layers', 'n_layer', 'num_attention_heads', 'n_head', 'num_key_value_heads'],
  ...[
    'head_dim',
    'intermediate_size',
    'n_inner',
    'vocab_size',
    'max_position_embeddings',
    'n_positions',
    'n_ctx',
    'sliding_window',
  ],
  ...['state_size', 'conv_kernel', 'expand', 'num_heads', 'n_groups', 'num_local_experts', 'num_experts', 'n_routed_experts'],
  ...[
    'num_experts_per_tok',
    'kv_lora_rank',
    'original_max_position_embeddings',
    'attention_hidden_size',
    'mini_batch_size',
    'chunk_size',
    'z_dim',
    'value_dim',
    'cema_ndim',
    'block_len',
    'block_stride',
    'select_block',
    'num_selected',
  ],
]);
/** Keys that must be above zero, whole or not. */
const POSITIVE = new Set([
  'rms_norm_eps',
  'norm_eps',
  'layer_norm_eps',
  'layer_norm_epsilon',
  'rope_theta',
  'partial_rotary_factor',
]);

const NOT_JSON = /^-?(?:NaN|Infinity)\b/;

/** Python’s json writes NaN and Infinity, which JSON does not have. */
function notNumbers({ text, errors }: ConfigDocument): readonly Issue[] {
  return errors.flatMap(({ offset }) => {
    const found = NOT_JSON.exec(text.slice(offset, offset + 10));
    // A minus sign and what follows it are two errors to the parser.
    if (!found || text[offset - 1] === '-') return [];
    const message = `${found[0]} is no number in JSON, and no value a model can use.`;
    return [{ code: 'not-a-number', severity: 'error', message, start: offset, end: offset + found[0].length } as const];
  });
}

function numberIssue(key: string, { value, offset, length }: Node): readonly Issue[] {
  const at = { start: offset, end: offset + length, severity: 'error' as const };
  if (COUNTS.has(key) && (!Number.isInteger(value) || value <= 0))
    return [
      {
        ...at,
        code: Number.isInteger(value) ? 'not-positive' : 'not-whole',
        message: `${key} is ${value}; it counts something, so it must be a positive whole number.`,
      },
    ];
  if (POSITIVE.has(key) && !(value > 0))
    return [{ ...at, code: 'not-positive', message: `${key} is ${value}; it must be above zero.` }];
  return [];
}

/** Numbers that cannot be what their key says, at the top and in nested objects. */
export function checkNumbers(config: ConfigDocument): readonly Issue[] {
  const visit = (node: Node): readonly Issue[] =>
    (node.children ?? []).flatMap((property) => {
      const [key, value] = property.children ?? [];
      if (!key || !value) return [];
      if (value.type === 'object') return visit(value);
      return value.type === 'number' ? numberIssue(key.value, value) : [];
    });
  return [...notNumbers(config), ...visit(config.root)];
}
