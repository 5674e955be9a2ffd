import { defineEncoder } from '../graph/architecture.js';
import { tokenOrder } from '../graph/blocks/attendAll.js';
import { activation } from '../graph/blocks/mlp.js';
import { tokenAt } from '../graph/blocks/patches.js';
import type { Value } from '../graph/ir.js';
import type { SegmentBuilder } from '../graph/segmentBuilder.js';
import { answers, type BertConfig, bertBlock, bertConfig, embedAt, maskedLogits, present } from './bert.js';
import { inputIds } from './clip.js';
import { encoderLayer } from './vit.js';

interface RobertaConfig extends BertConfig {
  /** The token that fills a text up: it has a position of its own, and is not counted. */
  readonly pad: number;
}

/**
 * Positions count the words that are none of padding, from pad + 1 on; padding stands at `pad`: i64 [B,T].
 * Counted as a product with a triangle, exact below 2²⁴ tokens.
 */
function places(g: SegmentBuilder, { pad }: RobertaConfig, ids: Value): Value {
  const order = tokenOrder(g, ids); // [T]
  const padding = g.cast(g.equal(ids, g.constant(BigInt64Array.of(BigInt(pad)), [])), 'f32'); // [B,T]
  const word = g.sub(g.constant(1), padding);
  const before = g.cast(g.lessOrEqual(g.unsqueeze(order, 1), order), 'f32'); // [T,T], 1 where the row is not behind the column
  const count = g.mul(g.matmul(word, before), word); // [B,T]
  return g.add(g.cast(count, 'i64'), pad);
}

const masked = {
  dense: 'lm_head.dense',
  norm: 'lm_head.layer_norm',
  decoder: ['lm_head.decoder.weight'],
  bias: ['lm_head.bias', 'lm_head.decoder.bias'],
};

const HEADS = ['Model', 'ForMaskedLM', 'ForSequenceClassification', 'ForTokenClassification', 'ForQuestionAnswering'];

/**
 * RoBERTa: Liu et al. 2019 (arXiv 1907.11692), and XLM-R: Conneau et al. 2019 (arXiv 1911.02116); official code facebookresearch/fairseq. BERT without
 * pairs of sentences. Differs: positions begin behind that of padding; the heads read the first token through a layer of their own.
 */
export const roberta = defineEncoder<RobertaConfig>({
  id: 'roberta',
  names: [
    'roberta',
    'xlm-roberta',
    'camembert',
    ...['Roberta', 'XLMRoberta', 'Camembert'].flatMap((name) => HEADS.map((head) => name + head)),
  ],
  prefixes: ['roberta.', ''],
  anchor: 'embeddings.word_embeddings.weight',
  blockPrefix: (i) => `encoder.layer.${i}.`,
  config: (raw) => {
    const bert = bertConfig(raw);
    const pad = raw.size('pad_token_id', 1);
    return { ...bert, pad, limit: bert.limit - pad - 1 };
  },
  layer: encoderLayer,
  state: () => [],
  embed: (g, c) => {
    const ids = inputIds(g, c.vocab); // [B,T]
    const table = g.weight('embeddings.position_embeddings.weight', [c.limit + c.pad + 1, c.dModel]);
    return embedAt(g, c, ids, g.gather(table, places(g, c, ids))); // [B,T,D]
  },
  block: bertBlock,
  outputs: (g, c, x) => {
    const pooler = g.has('pooler.dense.weight') ? g.tanh(g.linear(tokenAt(g, x, 0), 'pooler.dense', c.dModel)) : null; // [B,D]
    const first = g.topLinear(tokenAt(g, x, 0), 'classifier.dense');
    const logits =
      maskedLogits(g, c, x, masked, activation('gelu')) ??
      (first ? g.topLinear(g.tanh(first), 'classifier.out_proj') : g.topLinear(x, 'classifier'));
    return present({ last_hidden_state: x, pooler, logits, ...answers(g, x) });
  },
});
