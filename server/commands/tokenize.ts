import { readFile } from 'node:fs/promises';
import { requireTokenizer } from '../open.js';
import { LabError } from '../protocol/errors.js';
import type { TokenOrigin } from '../protocol/tokens.js';
import { utf8 } from '../tokenizer/bytes.js';
import { namedTokenizer } from '../tokenizer/named.js';
import { createTokenizer } from '../tokenizer/registry.js';
import { roundTrip } from '../tokenizer/roundTrip.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { checkpointAt } from './hub.js';
import type { Arguments } from './usage.js';

const oneText = () =>
  new LabError({
    code: 'USAGE',
    message: 'tokenize takes one text: --text TEXT, --file FILE or --stdin.',
    hint: 'see "help"',
  });

const unreadable = (file: string, cause: unknown) =>
  new LabError(
    {
      code: 'FILE_UNREADABLE',
      message: `The text cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}).`,
      hint: 'Check the path and its permissions.',
      file,
    },
    { cause },
  );

/**
 * {ids, pieces: [{id, text, start, end}]}; offsets in UTF-16 units of the text. Special tokens as the tokenizer adds them. `--json` adds to
 * each piece its bytes and role, and why there is each token: its merges, or what its model has in their place.
 */
export async function tokenize(args: Arguments): Promise<void> {
  const text = await textOf(args);
  const tokenizer = await (args.tokenizer === undefined ? ofCheckpoint(args.path) : namedTokenizer(args.tokenizer));
  const pieces = tokenizer.encode(text);
  const ids = pieces.map(({ id }) => id);
  const output = args.json ? { ids, ...details(tokenizer, text, pieces) } : { ids, pieces };
  process.stdout.write(`${JSON.stringify(output)}\n`);
}

function details(tokenizer: Tokenizer, text: string, pieces: ReturnType<Tokenizer['encode']>) {
  const origins: Record<number, TokenOrigin> = {};
  for (const { id } of pieces) origins[id] ??= tokenizer.origin(id);
  const own = tokenizer.encode(text, { special: false }).map(({ id }) => id);
  return {
    pieces: pieces.map((piece) => ({ ...piece, bytes: [...tokenizer.bytes(piece.id)], role: tokenizer.role(piece.id) })),
    origins,
    tokenizer: { kind: tokenizer.kind, vocabSize: tokenizer.vocabSize },
    counts: { tokens: pieces.length, characters: [...text].length, bytes: utf8(text).length },
    difference: roundTrip(tokenizer, text, own),
  };
}

/** Bytes that are not UTF-8 become '�'; a byte order mark is text. */
async function textOf({ text, file: files = [], stdin }: Arguments): Promise<string> {
  const [file] = files;
  if (files.length > 1 || [text, file, stdin].filter((source) => source !== undefined).length !== 1) throw oneText();
  if (text !== undefined) return text;
  const bytes =
    file === undefined ? await standardInput() : await readFile(file).catch((cause) => Promise.reject(unreadable(file, cause)));
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

async function standardInput(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function ofCheckpoint(path: string) {
  const checkpoint = await checkpointAt(path);
  const tokenizer = checkpoint.tokenizer && (await createTokenizer(checkpoint.tokenizer));
  return requireTokenizer({ checkpoint, tokenizer });
}
