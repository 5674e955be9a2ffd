import { openCheckpoint } from '../formats/registry.js';
import { requireTokenizer } from '../open.js';
import { namedTokenizer } from '../tokenizer/named.js';
import { createTokenizer } from '../tokenizer/registry.js';
import { type Arguments, required } from './usage.js';

/** {ids, pieces: [{id, text, start, end}]}; offsets in UTF-16 units of the text. Special tokens as the tokenizer adds them. */
export async function tokenize(args: Arguments): Promise<void> {
  const tokenizer = await (args.tokenizer === undefined ? ofCheckpoint(args.path) : namedTokenizer(args.tokenizer));
  const pieces = tokenizer.encode(required(args, 'text'));
  process.stdout.write(`${JSON.stringify({ ids: pieces.map((p) => p.id), pieces })}\n`);
}

async function ofCheckpoint(path: string) {
  const checkpoint = await openCheckpoint(path);
  const tokenizer = checkpoint.tokenizer && (await createTokenizer(checkpoint.tokenizer));
  return requireTokenizer({ checkpoint, tokenizer });
}
