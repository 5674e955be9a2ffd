import type { Model } from '../../../server/runtime/model.js';
import { Run } from '../../../server/runtime/run.js';
import { agreement, type Bench, lastLogits, prefill } from './bench.js';
import { timed } from './measure.js';
import type { Library } from './peer.js';

export interface Generation {
  /** Of the result files. */
  readonly id: string;
  readonly shape: string;
  readonly prompt: number;
  /** Tokens before decoding starts; every round goes on where the last one stopped, on both sides. */
  readonly contexts: readonly number[];
  readonly tokens: number;
  readonly library?: Library;
}

/** Prefill and decode of one model against a peer, transformers unless another is named. */
export async function measureGeneration(
  bench: Bench,
  { id, shape, prompt, contexts, tokens, library = 'transformers' }: Generation,
): Promise<void> {
  const model = await bench.model();
  const peer = await bench.peer(library);
  const ids = bench.ids(prompt);
  await bench.measure(
    {
      id: `${id}-prefill`,
      work: `${shape}, prefill of ${prompt} tokens, state kept, logits of the last token`,
      notes: peer ? [agreement(peer, await peer.ask('prefill', ids), await lastLogits(model, ids))] : [],
    },
    { ...(peer && { [library]: () => peer.ask('prefill', ids) }), 'Model Lab': prefill(model, ids, true) },
  );
  for (const context of contexts) {
    const run = await startOf(model, bench.ids(context));
    await peer?.ask('context', bench.ids(context));
    const next = bench.ids(tokens);
    let logits: Float32Array = new Float32Array();
    const decode = async () => {
      for (const token of next) logits = await run.decode(token);
    };
    await decode();
    const notes = peer ? [agreement(peer, await peer.ask('decode', next), logits)] : [];
    const work = `${shape}, decoding at context ${context}: one of ${tokens} tokens, with its logits`;
    await bench.measure(
      { id: `${id}-decode-${context}`, work, notes },
      {
        ...(peer && {
          [library]: async () => {
            const { wall, cpu, rss } = await peer.ask('decode', next);
            return { wall: wall / tokens, cpu: cpu / tokens, rss };
          },
        }),
        'Model Lab': () => timed(decode, tokens),
      },
    );
    await run.close();
  }
}

async function startOf(model: Model, ids: readonly number[]): Promise<Run> {
  const run = await Run.create(model);
  await run.prefill(ids);
  return run;
}
