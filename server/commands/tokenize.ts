import { openCheckpoint } from '../formats/registry.js';
import { requireTokenizer } from '../open.js';
import { createTokenizer } from '../tokenizer/registry.js';
import { type Arguments, required } from './usage.js';

/** {ids, pieces: [{id, text, start, end}]}; offsets in UTF-16 units of the text. Special tokens as the tokenizer adds them. */
export async function tokenize(args: Arguments): Promise<void> {
  const checkpoint = await openCheckpoint(args.path);
  const tokenizer = requireTokenizer({
    checkpoint,
    tokenizer: checkpoint.tokenizer && (await createTokenizer(checkpoint.tokenizer)),
  });
  const pieces = tokenizer.encode(required(args, 'text'));
  process.stdout.write(`${JSON.stringify({ ids: pieces.map((p) => p.id), pieces })}\n`);
}
