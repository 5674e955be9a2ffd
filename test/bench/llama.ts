// SmolLM2-135M in 4 bits against llama.cpp. Both on the same GGUF file: as it is published (Q4_1), and with its blocks in Q4_0. And weights in
// F16, which we round ourselves, against the same in Q4_0.
import { execFileSync } from 'node:child_process';
import { existsSync, renameSync } from 'node:fs';
import path from 'node:path';
import { smolLm2 } from '../smolLm2.mjs';
import { agreement, Bench, lastLogits, prefill } from './lib/bench.js';
import { divergences } from './lib/divergences.js';
import { decodeOn, decodePeer, startOf } from './lib/generation.js';
import type { Peer } from './lib/peer.js';
import { peersPython } from './lib/peers.mjs';
import { smolLm2 as shape } from './lib/shapes.js';
import { decodeBytes, prefillFlops } from './lib/work.js';

const PROMPT = 512;
const TOKENS = 16;
/** Both sides round activations to 8 bits, in other places: logits of a model in 4 bits differ by so much. */
const TOLERANCE = 3;
const dtype = 'int4';

/** The file with its matrices in another type, made once: `Q4_1` of its name becomes what the new one is called. */
function requantised(file: string, type: string, name = type): string | null {
  const target = file.replace(/Q4_1|F16/, name);
  if (existsSync(target)) return target;
  if (!existsSync(peersPython)) return null;
  execFileSync(peersPython, [path.join(import.meta.dirname, 'requantise.py'), file, `${target}.part`, type]);
  renameSync(`${target}.part`, target);
  return target;
}

/** What is compared: the file that llama.cpp opens and the one that we open, which may be the same. */
interface Pair {
  readonly type: string;
  readonly what: string;
  readonly theirs: string;
  readonly ours: string;
  readonly notes?: readonly string[];
}

async function compare({ type, what, theirs: file, ours, notes: said = [] }: Pair): Promise<void> {
  await Bench.at(file, shape.vocab_size, async (bench) => {
    const model = await bench.model({ dtype }, ours);
    const peers = [
      ['llama.cpp, flash attention', await bench.peer('node-llama-cpp', { flashAttention: true })],
      ['llama.cpp', await bench.peer('node-llama-cpp', { flashAttention: false })],
    ].filter((entry): entry is [string, Peer] => entry[1] !== null);
    const name = `SmolLM2-135M-Instruct, ${what}`;
    const id = `llama-${type}`;
    const ids = bench.ids(PROMPT);
    // that they compute what their file says is told by what we make of the same file
    const same = ours === file ? model : await bench.model({ dtype });
    const logits = await lastLogits(same, ids);
    if (same !== model) await same.close();
    const notes = await Promise.all(
      peers.map(async ([, peer]) => agreement(peer, await peer.ask('prefill', ids), logits, TOLERANCE)),
    );
    await bench.measure(
      {
        id: `${id}-prefill`,
        work: `${name}, prefill of ${PROMPT} tokens, logits of the last token`,
        load: { kind: 'flops', amount: prefillFlops(model, PROMPT) },
        notes: [...said, ...notes],
      },
      {
        ...Object.fromEntries(peers.map(([label, peer]) => [label, () => peer.ask('prefill', ids)])),
        'Model Lab, int4': prefill(model, ids, true),
      },
    );
    await bench.profile(
      { id: `${id}-prefill`, what: `${name}, prefill`, parts: 1, work: async (m) => prefill(m, ids, true) },
      { dtype },
      ours,
    );
    for (const context of [256, 2048]) {
      const run = await startOf(model, bench.ids(context));
      for (const [, peer] of peers) await peer.ask('context', bench.ids(context));
      await bench.measure(
        {
          id: `${id}-decode-${context}`,
          work: `${name}, decoding at context ${context}: one of ${TOKENS} tokens, with its logits`,
          // counted as the file stores them: not what is read where we round them ourselves
          ...(ours === file && { load: { kind: 'bytes', amount: decodeBytes(model, context) } as const }),
          notes: said,
        },
        {
          ...Object.fromEntries(peers.map(([label, peer]) => [label, decodePeer(peer, bench.ids(TOKENS))])),
          'Model Lab, int4': decodeOn(run, bench.ids(TOKENS)),
        },
      );
      await run.close();
      const work = async (m: typeof model) => decodeOn(await startOf(m, bench.ids(context)), bench.ids(TOKENS));
      await bench.profile(
        { id: `${id}-decode-${context}`, what: `${name}, decoding at ${context}`, parts: TOKENS, work },
        { dtype },
        ours,
      );
    }
    await model.close();
  });
}

const file = smolLm2();
if (file === null) console.log('SmolLM2 cannot be had: not measured.');
else {
  await compare({ type: 'Q4_1', what: 'GGUF Q4_1', theirs: file, ours: file });
  const other = requantised(file, 'Q4_0');
  const ours = requantised(file, 'F16');
  const theirs = ours && requantised(ours, 'Q4_0', 'F16.Q4_0');
  if (!other || !ours || !theirs)
    console.log('Q4_0 and F16 not measured: no Python with gguf (node test/bench/peers.mjs installs it).');
  else {
    await compare({ type: 'Q4_0', what: 'GGUF Q4_0', theirs: other, ours: other });
    const notes = await divergences(ours, [
      { name: 'Model Lab, int4 of the F16 file', file: ours, dtype },
      { name: "llama.cpp's Q4_0 in fp32 arithmetic", file: theirs, dtype: 'own' },
      { name: "llama.cpp's Q4_0 with activations in 8 bits a run of 32, as it rounds them", file: theirs, dtype },
    ]);
    await compare({ type: 'own', what: 'GGUF F16 as int4 against Q4_0', theirs, ours, notes });
  }
}
