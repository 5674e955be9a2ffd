import { defineEncoder, type StackConfig } from '../graph/architecture.js';
import { padding, tokenOrder } from '../graph/blocks/attendAll.js';
import { encoderAttention, encoderSpec, type PreNormSpec, plainMlp } from '../graph/blocks/encoderBlock.js';
import { activation, activationNames } from '../graph/blocks/mlp.js';
import { layerNorm } from '../graph/blocks/norm.js';
import { tokenAt } from '../graph/blocks/patches.js';
import type { ConfigReader } from '../graph/config.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { inputIds } from './clip.js';
import { encoderLayer } from './vit.js';

export interface BertConfig extends StackConfig, PreNormSpec {
  readonly vocab: number;
  /** Kinds of segments: the first text and the second. */
  readonly types: number;
  readonly limit: number;
}

export function bertConfig(raw: ConfigReader): BertConfig {
  raw.refuse('is_decoder', true);
  raw.word('position_embedding_type', ['absolute'], 'absolute');
  const dModel = raw.size('hidden_size', 768);
  const heads = raw.size('num_attention_heads', 12);
  return {
    dModel,
    layers: raw.layers('num_hidden_layers', 12),
    dFf: raw.size('intermediate_size', 4 * dModel),
    act: activation(raw.word('hidden_act', activationNames, 'gelu')),
    eps: raw.number('layer_norm_eps', 1e-12),
    attention: encoderSpec(heads, raw.divides('num_attention_heads', heads, dModel)),
    vocab: raw.size('vocab_size', 30522),
    types: raw.size('type_vocab_size', 2),
    limit: raw.size('max_position_embeddings', 512),
  };
}

export const words = (g: SegmentBuilder, c: BertConfig): Value =>
  g.weight('embeddings.word_embeddings.weight', [c.vocab, c.dModel]);

function embed(g: SegmentBuilder, c: BertConfig): Value {
  const ids = inputIds(g, c.vocab); // [B,T]
  return embedAt(g, c, ids, g.gather(g.weight('embeddings.position_embeddings.weight', [c.limit, c.dModel]), tokenOrder(g, ids)));
}

/** Words, what text they are of, and where they stand: `place` [T,D] or [B,T,D]. */
export function embedAt(g: SegmentBuilder, c: BertConfig, ids: Value, place: Value): Value {
  const types = g.given('token_type_ids', 'i64', ['B', 'T'], { otherwise: 0, below: c.types });
  const segment = g.gather(g.weight('embeddings.token_type_embeddings.weight', [c.types, c.dModel]), types);
  return layerNorm(g, g.add(g.add(g.gather(words(g, c), ids), segment), place), 'embeddings.LayerNorm', c.eps); // [B,T,D]
}

/** Differs: the norms stand behind the sums, so that `ln2` is what the block hands on. */
export function bertBlock(g: SegmentBuilder, c: BertConfig, x: Value): Value {
  const names = { q: 'attention.self.query', k: 'attention.self.key', v: 'attention.self.value', out: 'attention.output.dense' };
  const mid = g.probe('resid_mid', g.add(x, encoderAttention(g, c.attention, x, names, padding(g))));
  const ln1 = g.probe('ln1', layerNorm(g, mid, 'attention.output.LayerNorm', c.eps));
  const out = plainMlp(g, ln1, c.dFf, c.act, { up: 'intermediate.dense', down: 'output.dense' });
  return g.probe('ln2', layerNorm(g, g.add(ln1, out), 'output.LayerNorm', c.eps)); // [B,T,D]
}

/** Where the checkpoint keeps what says each masked word. */
interface MaskedNames {
  readonly dense: string;
  readonly norm: string;
  readonly decoder: readonly string[];
  readonly bias: readonly string[];
}

const maskedNames: MaskedNames = {
  dense: 'cls.predictions.transform.dense',
  norm: 'cls.predictions.transform.LayerNorm',
  decoder: ['cls.predictions.decoder.weight'],
  bias: ['cls.predictions.decoder.bias', 'cls.predictions.bias'],
};

/** What each masked word is: the transform, then the word embeddings again (or a decoder of its own). [B,T,D] → [B,T,V]. */
export function maskedLogits(g: SegmentBuilder, c: BertConfig, x: Value, names = maskedNames, act = c.act): Value | null {
  const dense = g.topLinear(x, names.dense);
  if (!dense) return null;
  const hidden = g.atTop(() => layerNorm(g, act(g, dense), names.norm, c.eps));
  const decoder = g.topWeight(names.decoder, [c.vocab, c.dModel]) ?? words(g, c);
  const bias = g.topWeight(names.bias, [c.vocab]);
  const logits = g.matmul(hidden, decoder, { transB: true });
  return bias ? g.add(logits, bias) : logits;
}

/** The heads that a checkpoint has: where an answer begins and ends, by the token. */
export function answers(g: SegmentBuilder, x: Value): { readonly start_logits: Value | null; readonly end_logits: Value | null } {
  const answer = g.topLinear(x, 'qa_outputs'); // [B,T,2]
  const side = (i: number) => answer && g.squeeze(g.slice(answer, -1, i, i + 1), -1);
  return { start_logits: side(0), end_logits: side(1) };
}

export const present = (said: Readonly<Record<string, Value | null>>): Record<string, Value> =>
  Object.fromEntries(Object.entries(said).filter((entry): entry is [string, Value] => entry[1] !== null));

/**
 * BERT: Devlin et al. 2018 (arXiv 1810.04805); official code google-research/bert modeling.py. Every token sees every other; the first one, [CLS],
 * is trained to stand for the whole text. The heads of its tasks are outputs where the checkpoint has them.
 */
export const bert = defineEncoder<BertConfig>({
  id: 'bert',
  names: [
    'bert',
    'BertModel',
    'BertForMaskedLM',
    'BertForPreTraining',
    'BertForSequenceClassification',
    'BertForTokenClassification',
    'BertForQuestionAnswering',
    'BertForNextSentencePrediction',
  ],
  prefixes: ['bert.', ''],
  anchor: 'embeddings.word_embeddings.weight',
  blockPrefix: (i) => `encoder.layer.${i}.`,
  config: bertConfig,
  layer: encoderLayer,
  state: () => [],
  embed,
  block: bertBlock,
  outputs: (g, c, x) => {
    const pooler = g.has('pooler.dense.weight') ? g.tanh(g.linear(tokenAt(g, x, 0), 'pooler.dense', c.dModel)) : null; // [B,D]
    // a classifier of whole texts reads the pooled token, one of tokens has no pooler
    const logits = maskedLogits(g, c, x) ?? g.topLinear(pooler ?? x, 'classifier');
    const pair = pooler && g.topLinear(pooler, 'cls.seq_relationship');
    return present({ last_hidden_state: x, pooler, logits, seq_relationship_logits: pair, ...answers(g, x) });
  },
});
