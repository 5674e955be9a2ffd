import type { TokenizerSource } from '../formats/checkpoint.js';
import { ggufTokenizer } from './gguf.js';
import { HuggingFaceTokenizer } from './huggingFace.js';
import { rwkvWorld } from './rwkvWorld.js';
import type { Tokenizer } from './tokenizer.js';
import { parseObject, parseTokenizerJson } from './tokenizerJson.js';

/**
 * The tokenizer of a checkpoint.
 * @throws TOKENIZER_INVALID, TOKENIZER_UNSUPPORTED
 */
export async function createTokenizer(source: TokenizerSource): Promise<Tokenizer> {
  switch (source.kind) {
    case 'hf': {
      const config = source.configJson === null ? {} : parseObject(source.configJson, 'tokenizer_config.json');
      return new HuggingFaceTokenizer(parseTokenizerJson(source.tokenizerJson), config, source.chatTemplate);
    }
    case 'gguf':
      return ggufTokenizer(source.metadata);
    case 'rwkv_world':
      return rwkvWorld();
  }
}
