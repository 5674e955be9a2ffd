import type { Model } from '../../../server/runtime/model.js';
import { Run } from '../../../server/runtime/run.js';
import { agreement, type Bench, lastLogits, prefill } from './bench.js';
import { type Sample, timed } from './measure.js';
import type { Library, Peer, PeerSample } from './peer.js';
import { decodeBytes, prefillFlops } from './work.js';

export interface Generation {
  /** Of the result files. */
  readonly id: string;
  readonly shape: string;
  readonly prompt: number;
  /** Tokens before decoding starts; every round goes on where the last one stopped, on both sides. */
  readonly contexts: readonly number[];
  readonly tokens: number;
  /** By what they are called in the results; transformers unless others are named. */
  readonly rivals?: Readonly<Record<string, Rival>>;
}

export interface Rival {
  readonly library: Library;
  /** Environment variables that it reads. */
  readonly variables?: Readonly<Record<string, string>>;
}

type Peers = readonly (readonly [name: string, peer: Peer])[];

/** Those that could be started. */
async function startPeers(bench: Bench, rivals: Readonly<Record<string, Rival>>): Promise<Peers> {
  const started: [string, Peer][] = [];
  for (const [name, { library, variables }] of Object.entries(rivals)) {
    const peer = await bench.peer(library, {}, variables);
    if (peer) started.push([name, peer]);
  }
  return started;
}

/** That each of them computed what we did. */
const agreements = (peers: Peers, ask: (peer: Peer) => Promise<PeerSample>, ours: Float32Array): Promise<string[]> =>
  Promise.all(peers.map(async ([, peer]) => agreement(peer, await ask(peer), ours)));

const variantsOf = (peers: Peers, variant: (peer: Peer) => () => Promise<Sample>): Record<string, () => Promise<Sample>> =>
  Object.fromEntries(peers.map(([name, peer]) => [name, variant(peer)]));

/** Prefill and decode of one model against its rivals. */
export async function measureGeneration(bench: Bench, generation: Generation): Promise<void> {
  const { id, shape, prompt, contexts, rivals = { transformers: { library: 'transformers' } } } = generation;
  const model = await bench.model();
  const peers = await startPeers(bench, rivals);
  const ids = bench.ids(prompt);
  await bench.measure(
    {
      id: `${id}-prefill`,
      work: `${shape}, prefill of ${prompt} tokens, state kept, logits of the last token`,
      load: { kind: 'flops', amount: prefillFlops(model, prompt) },
      notes: await agreements(peers, (peer) => peer.ask('prefill', ids), await lastLogits(model, ids)),
    },
    { ...variantsOf(peers, (peer) => () => peer.ask('prefill', ids)), 'Model Lab': prefill(model, ids, true) },
  );
  await bench.profile({ id: `${id}-prefill`, what: `${shape}, prefill`, parts: 1, work: async (m) => prefill(m, ids, true) });
  for (const context of contexts) await measureDecoding(bench, model, peers, generation, context);
  await model.close();
}

async function measureDecoding(
  bench: Bench,
  model: Model,
  peers: Peers,
  { id, shape, tokens }: Generation,
  context: number,
): Promise<void> {
  const [before, next] = [bench.ids(context), bench.ids(tokens)];
  const run = await startOf(model, before);
  for (const [, peer] of peers) await peer.ask('context', before);
  let logits: Float32Array = new Float32Array();
  for (const token of next) logits = await run.decode(token);
  await bench.measure(
    {
      id: `${id}-decode-${context}`,
      work: `${shape}, decoding at context ${context}: one of ${tokens} tokens, with its logits`,
      load: { kind: 'bytes', amount: decodeBytes(model, context) },
      notes: await agreements(peers, (peer) => peer.ask('decode', next), logits),
    },
    { ...variantsOf(peers, (peer) => decodePeer(peer, next)), 'Model Lab': decodeOn(run, next) },
  );
  await run.close();
  const work = async (m: Model) => decodeOn(await startOf(m, before), next);
  await bench.profile({ id: `${id}-decode-${context}`, what: `${shape}, decoding at ${context}`, parts: tokens, work });
}

/** Times of one of these tokens; each time a run goes on where it stopped. */
export const decodeOn = (run: Run, next: readonly number[]) => (): Promise<Sample> =>
  timed(async () => {
    for (const token of next) await run.decode(token);
  }, next.length);

export const decodePeer = (peer: Peer, next: readonly number[]) => async (): Promise<Sample> => {
  const { wall, cpu, rss } = await peer.ask('decode', next);
  return { wall: wall / next.length, cpu: cpu / next.length, rss };
};

/** A run that has read these tokens. */
export async function startOf(model: Model, ids: readonly number[]): Promise<Run> {
  const run = await Run.create(model);
  await run.prefill(ids);
  return run;
}
