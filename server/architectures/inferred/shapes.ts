import type { Evidence, Found } from './evidence.js';
import type { Recognised } from './known.js';
import { EMBEDDINGS, HEADS, MIXED, OUTPUTS, POSITIONS, QK_NORMS, QUERIES, SEPARATE, STACKED } from './names.js';
import type { Draft, QkNorm } from './spec.js';

/** A rule fills a part of the draft, says what it concluded and why, or what keeps it from doing so. */
export type Rule = (e: Evidence, draft: Draft, known: Recognised) => void;

const HIDDEN = ['hidden_size', 'n_embd', 'd_model'];
const LAYERS = ['num_hidden_layers', 'n_layer', 'num_layers', 'n_layers'];
const CONTEXT = ['max_position_embeddings', 'n_positions', 'n_ctx', 'max_sequence_length', 'seq_length'];

const bare = (found: Found): string => found.name.replace(/\.weight$/, '');
const without = (name: string): string => name.slice(0, name.lastIndexOf('.') + 1);

/** Config and tensors must say the same number, where both say one. */
export function agree(e: Evidence, keys: readonly string[], value: number, because: string): void {
  const told = e.number(...keys);
  if (told && told.value !== value) e.problem(`${told.key} is ${told.value}, but ${because}`);
}

export const sizes: Rule = (e, draft) => {
  const table = e.beside(EMBEDDINGS);
  if (table?.shape.length !== 2 || e.layers === 0)
    return e.problem(
      `no embedding beside a list of blocks (${EMBEDDINGS.slice(0, 3).join(', ')} … and layers.0, h.0 or blocks.0)`,
    );
  const [vocab, dModel] = table.shape as [number, number];
  agree(e, ['vocab_size'], vocab, `${table.name} has ${vocab} rows`);
  agree(e, HIDDEN, dModel, `${table.name} has rows of ${dModel}`);
  agree(e, LAYERS, e.layers, `there are ${e.layers} blocks`);
  const context = e.number(...CONTEXT)?.value ?? null;
  Object.assign(draft, { embed: table.name, vocab, dModel, layers: e.layers, context });
  e.say(`${e.layers} blocks of width ${dModel}, ${vocab} tokens`, `${e.prefix}${table.name} is [${table.shape.join(', ')}]`);
};

export const positions: Rule = (e, draft, { positionOffset = 0 }) => {
  const table = e.beside(POSITIONS);
  draft.positions = null;
  if (!table) return;
  const rows = table.shape[0] as number;
  if (draft.context && rows - positionOffset < draft.context)
    return e.problem(`${table.name} has ${rows} rows for ${draft.context} positions`);
  if (draft.context && rows > draft.context + positionOffset)
    return e.problem(`${table.name} has ${rows} rows for ${draft.context} positions: which is the first cannot be told`);
  draft.positions = { name: table.name, rows, offset: positionOffset };
  draft.limit = rows - positionOffset;
  e.say('learned positions', `${table.name} has ${rows} rows`);
};

/** [out, in], or [in, out] as GPT-2 stores it. */
function isTurned(found: Found, dModel: number): boolean {
  const [a, b] = found.shape;
  return a === dModel && b !== dModel;
}

export const projections: Rule = (e, draft, { mixed }) => {
  const { dModel = 0 } = draft;
  const q = e.inBlock(QUERIES);
  const [stacked, other] = [e.inBlock(STACKED), e.inBlock(MIXED)];
  const first = q ?? stacked ?? other;
  if (!first) return e.problem('no q_proj, qkv_proj or query_key_value in a block');
  const path = without(bare(first));
  if (q) {
    const spelled = SEPARATE[bare(q).slice(path.length)] as readonly [string, string, string];
    const [, k, v] = spelled.map((name) => path + name) as [string, string, string];
    for (const name of [k, v]) if (!e.inBlock([`${name}.weight`])) e.problem(`no ${name}.weight beside ${q.name}`);
    draft.projections = { kind: 'separate', q: bare(q), k, v };
    draft.turned = false;
  } else {
    draft.turned = isTurned(first, dModel);
    const kind = mixed ?? (stacked ? 'stacked' : null);
    if (kind === null)
      return e.problem(`${first.name}: whether q, k and v lie one behind the other, by head or by group cannot be told`);
    draft.projections = { kind, all: bare(first) };
    const words = { stacked: 'one behind the other', heads: 'head by head', groups: 'group by group' }[kind];
    e.say(`q, k and v in one matrix, ${words}`, first.name);
  }
  const out = e.inBlock(OUTPUTS.map((name) => path + name));
  if (!out) return e.problem(`no ${path}o_proj or another output projection`);
  draft.out = bare(out);
  if (draft.turned) e.say('matrices stored [in, out]', `${first.name} is [${first.shape.join(', ')}] for a width of ${dModel}`);
};

/** H, K and E, from the config where it says them and from the rows of the projections. */
export const heads: Rule = (e, draft) => {
  const { projections: p, dModel = 0, turned } = draft;
  if (!p) return;
  const rowsOf = (name: string) => e.inBlock([`${name}.weight`])?.shape[turned ? 1 : 0] ?? 0;
  const told = e.number('num_attention_heads', 'n_head', 'n_heads', 'num_heads')?.value ?? null;
  const toldKv = e.number('num_key_value_heads', 'num_kv_heads', 'n_kv_heads', 'n_head_kv')?.value ?? null;
  const normed = e.inBlock(QK_NORMS.map(({ q }) => `${without(draft.out ?? '')}${q}.weight`));
  const size = e.number('head_dim', 'head_size', 'kv_channels')?.value ?? null;
  const rows = p.kind === 'separate' ? rowsOf(p.q) : null;
  const headDim = size ?? (told ? (rows ?? dModel) / told : normed?.shape.length === 1 ? (normed.shape[0] as number) : null);
  if (headDim === null)
    return e.problem('neither num_attention_heads nor head_dim, and no norm of queries says how wide a head is');
  const H = told ?? (rows ?? dModel) / headDim;
  if (rows !== null && rows !== H * headDim)
    return e.problem(`${(p as { q: string }).q} has ${rows} rows, not ${H} heads of ${headDim}`);
  const K = p.kind === 'separate' ? rowsOf(p.k) / headDim : (rowsOf(p.all) / headDim - H) / 2;
  const source = p.kind === 'separate' ? `${p.k} has ${rowsOf(p.k)} rows` : `${p.all} has ${rowsOf(p.all)} rows for q, k and v`;
  if (![headDim, H, K].every(Number.isInteger) || K <= 0 || H % K !== 0)
    return e.problem(`${source}: with head_dim ${headDim} they are ${K} KV heads for ${H} heads`);
  if (toldKv !== null && toldKv !== K && p.kind === 'separate')
    e.problem(`num_key_value_heads is ${toldKv}, but ${source} of head_dim ${headDim}`);
  if (p.kind === 'separate' && rowsOf(p.v) !== rowsOf(p.k)) e.problem(`${p.v} has ${rowsOf(p.v)} rows, ${p.k} ${rowsOf(p.k)}`);
  e.say(
    `${H} heads of ${headDim}`,
    told ? `the config says ${told} heads${size ? ` of head_dim ${size}` : ''}` : `${rows} rows of queries`,
  );
  e.say(`${K} KV ${K === 1 ? 'head' : 'heads'}`, `${source} of head_dim ${headDim}`);
  const biased = e.inBlock([p.kind === 'separate' ? `${p.q}.bias` : `${p.all}.bias`]);
  const bias = e.value('attention_bias', 'qkv_bias', 'use_qkv_bias', 'add_qkv_bias');
  if (bias && bias.value !== (biased !== null))
    e.problem(`${bias.key} is ${bias.value}, but queries have ${biased ? 'a' : 'no'} bias`);
  if (biased) e.say('biases on q, k and v', `${biased.name} is [${biased.shape.join(', ')}]`);
  draft.attention = [{ heads: H, kvHeads: K, headDim, scale: headDim ** -0.5, softcap: null, window: null, rope: null }];
};

export const qkNorm: Rule = (e, draft) => {
  const [spec] = draft.attention ?? [];
  draft.qkNorm = null;
  if (!spec) return;
  const { heads: H, kvHeads: K, headDim: E } = spec;
  const path = without(draft.out ?? '');
  for (const { q, k, late } of QK_NORMS) {
    const [own, other] = [q, k].map((name) => e.inBlock([`${path}${name}.weight`, `${path}${name}.norms.0.weight`]));
    if (!own) continue;
    if (!other) return e.problem(`${own.name} without ${path}${k}.weight`);
    const listed = own.name.endsWith('.norms.0.weight');
    const shape = own.shape.join();
    const over: QkNorm['over'] | null = listed
      ? 'eachHead'
      : shape === `${E}`
        ? 'head'
        : shape === `${H},${E}`
          ? 'eachHead'
          : shape === `${H * E}` && other.shape.join() === `${K * E}`
            ? 'allHeads'
            : null;
    if (over === null) return e.problem(`${own.name} is [${own.shape.join(', ')}], which is neither a head nor all of them`);
    draft.qkNorm = { q: path + q, k: path + k, over, listed, late };
    const words = { head: 'one for all heads', eachHead: 'one for each head', allHeads: 'over all heads at once' }[over];
    e.say(`norms of queries and keys, ${words}${late ? ', behind RoPE' : ''}`, `${own.name} is [${own.shape.join(', ')}]`);
    return;
  }
};

export const unembedding: Rule = (e, draft) => {
  const [top, below] = [e.beside(HEADS, ''), e.beside(HEADS)];
  const own = top ?? (below && { ...below, name: e.prefix + below.name });
  draft.headBias = e.beside(['lm_head.bias'], '')?.name ?? null;
  draft.head = own?.name.replace(/\.weight$/, '') ?? null;
  if (own && own.shape.join() !== `${draft.vocab},${draft.dModel}`)
    return e.problem(`${own.name} is [${own.shape.join(', ')}], the embedding [${draft.vocab}, ${draft.dModel}]`);
  if (draft.head) e.say('an unembedding of its own', own?.name ?? '');
  else e.say('the embedding is the unembedding', 'there is no lm_head');
};
