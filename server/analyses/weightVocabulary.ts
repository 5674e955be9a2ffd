import type { Checkpoint } from '../formats/checkpoint.js';
import { buildSegment } from '../graph/segment.js';
import type { VocabularyScore } from '../protocol/weights.js';
import type { Model } from '../runtime/model.js';
import { breathe } from './breathe.js';
import { eachSlab, entryOf } from './weightMatrix.js';

/** Tokens told of a direction. */
const WORDS = 8;

/** How a token is spelled. */
export type Word = (id: number) => { readonly text: string; readonly bytes: readonly number[] };

interface Directions {
  readonly rows: number;
  readonly cols: number;
  /** Output and input directions, [rows] and [cols] each. */
  readonly u: readonly Float64Array[];
  readonly v: readonly Float64Array[];
}

export interface Words {
  readonly reads: readonly VocabularyScore[][] | null;
  readonly writes: readonly VocabularyScore[][] | null;
  readonly readsNote: string;
  readonly writesNote: string;
}

/**
 * Tokens whose embedding lies most along what a direction reads, and whose logit grows most with what it writes; no norm is folded in.
 * A matrix that writes logits names its tokens itself.
 */
export async function vocabularyOf(
  { bound, checkpoint }: Model,
  { rows, cols, u, v }: Directions,
  word: Word,
  signal: AbortSignal,
): Promise<Words> {
  const { layers: L, vocab, dModel: D } = bound.config;
  const table = (at: number, embed: boolean): string | null => {
    const { graph } = buildSegment(bound, { from: at, to: at, embed, head: !embed });
    const names = [...graph.weights.values()].map(({ tensor }) => tensor);
    return names.find((name) => entryOf(checkpoint, name).shape.join() === [vocab, D].join()) ?? null;
  };
  const told = (all: readonly Float64Array[]) => all.map((scores) => best(scores, word));
  const [embedding, unembedding] = [cols === D ? table(0, true) : null, rows === D ? table(L, false) : null];
  return {
    reads: embedding === null ? null : told(await scores(checkpoint, embedding, v, signal)),
    writes: rows === vocab ? told(u) : unembedding === null ? null : told(await scores(checkpoint, unembedding, u, signal)),
    readsNote: embedding ? '' : noteOf('reads', cols, D),
    writesNote: rows === vocab || unembedding ? '' : noteOf('writes', rows, D),
  };
}

const noteOf = (verb: string, size: number, D: number): string =>
  size === D
    ? `The model has no table of [vocabulary, ${D}] to name what the matrix ${verb}.`
    : `The matrix ${verb} ${size} values that are not the residual stream's ${D}: they have no vocabulary.`;

/** Each vector times every row of [V, D]. */
async function scores(
  checkpoint: Checkpoint,
  tensor: string,
  vectors: readonly Float64Array[],
  signal: AbortSignal,
): Promise<Float64Array[]> {
  const entry = entryOf(checkpoint, tensor);
  const [V = 0, D = 1] = entry.shape;
  const all = vectors.map(() => new Float64Array(V));
  await eachSlab(checkpoint, entry, signal, (values, at) => {
    for (const [n, vector] of vectors.entries()) {
      const out = all[n] as Float64Array;
      for (let i = 0; i < values.length; i++) {
        const row = Math.floor((at + i) / D);
        out[row] = (out[row] as number) + (values[i] as number) * (vector[(at + i) % D] as number);
      }
    }
  });
  await breathe(signal);
  return all;
}

const best = (scores: Float64Array, word: Word): VocabularyScore[] =>
  [...scores.keys()]
    .sort((i, j) => (scores[j] as number) - (scores[i] as number))
    .slice(0, WORDS)
    .map((id) => ({ id, ...word(id), score: scores[id] as number }));
