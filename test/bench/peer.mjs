// A peer of Node's world that is kept running: reads one JSON request a line, answers one JSON line with the time and memory it took.
// load {library, folder, threads, …} · prefill {ids} · context {ids} · decode {ids} · end of input ends it.
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { nodePeerFolder, nodePeerVersion } from './lib/peers.mjs';

const importPeer = (name) =>
  import(pathToFileURL(createRequire(path.join(nodePeerFolder(name), 'package.json')).resolve(name)).href);

/** Logits that go back, enough to see that both sides did the same work. */
const SHOWN = 64;

/** llama.cpp as node-llama-cpp ships it. Its binding is called directly: what is timed is llama.cpp, not the queue in JavaScript around it. */
class NodeLlamaCpp {
  /** Room for the tokens of a benchmark; tokens of one call: llama.cpp's default. */
  static context = 4096;
  static batch = 512;

  at = 0;
  last = 0;

  async load({ folder: modelPath, threads, flashAttention }) {
    const { getLlama } = await importPeer('node-llama-cpp');
    const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, progressLogs: false, maxThreads: threads });
    const model = await llama.loadModel({ modelPath, gpuLayers: 0 });
    const { context: contextSize, batch: batchSize } = NodeLlamaCpp;
    const context = await model.createContext({ contextSize, batchSize, sequences: 1, threads, flashAttention });
    this.llama = context._ctx;
    if (this.llama.getThreads() !== threads) throw new Error(`it computes with ${this.llama.getThreads()} threads`);
    this.sampler = new llama._bindings.AddonSampler(model._model);
    this.sampler.applyConfig({ temperature: 1, topK: 0, topP: 1, minP: 0 });
    const features = llama.systemInfo.match(/\w+(?= = 1)/g).filter((name) => /AMX|VNNI|AVX|DOTPROD|MATMUL|SVE/.test(name));
    return {
      'node-llama-cpp': nodePeerVersion('node-llama-cpp'),
      'llama.cpp': `${llama.llamaCppRelease.release} (${features.join(' ')})`,
    };
  }

  /** Leaves the logits of the last token in llama.cpp. */
  async #read(ids) {
    for (let from = 0; from < ids.length; from += NodeLlamaCpp.batch) {
      const part = Uint32Array.from(ids.slice(from, from + NodeLlamaCpp.batch));
      const wanted = from + part.length === ids.length ? Uint32Array.of(part.length - 1) : new Uint32Array();
      this.llama.initBatch(part.length);
      [this.last] = this.llama.addToBatch(0, this.at, part, wanted);
      await this.llama.decodeBatch();
      this.at += part.length;
    }
  }

  async prefill(ids) {
    this.llama.disposeSequence(0);
    this.at = 0;
    await this.#read(ids);
  }

  context(ids) {
    return this.prefill(ids);
  }

  async decode(ids) {
    for (const id of ids) await this.#read([id]);
  }

  async logits() {
    const [, , , pairs] = await this.llama.sampleToken(this.last, this.sampler, false, false, true);
    const logits = new Array(SHOWN).fill(0);
    for (let i = 0; i < pairs.length; i += 2) if (pairs[i] < SHOWN) logits[pairs[i]] = pairs[i + 1];
    return logits;
  }
}

/** transformers.js on the same weights, exported to ONNX beside them: folder/transformers.js. */
class TransformersJs {
  tokens = 0;

  async load({ folder, threads }) {
    this.library = await importPeer('@huggingface/transformers');
    Object.assign(this.library.env, { allowRemoteModels: false, localModelPath: folder });
    const session_options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
    const options = { dtype: 'fp32', device: 'cpu', session_options };
    this.model = await this.library.AutoModelForCausalLM.from_pretrained('transformers.js', options);
    return { '@huggingface/transformers': nodePeerVersion('@huggingface/transformers') };
  }

  async #read(ids) {
    const { Tensor, DynamicCache } = this.library;
    const int64 = (values) => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
    this.tokens += ids.length;
    const cache = this.cache && { past_key_values: this.cache };
    const out = await this.model({ input_ids: int64(ids), attention_mask: int64(new Array(this.tokens).fill(1)), ...cache });
    const present = Object.entries(out).filter(([name]) => name.startsWith('present'));
    this.cache = new DynamicCache(
      Object.fromEntries(present.map(([name, tensor]) => [`past_key_values${name.slice(7)}`, tensor])),
    );
    this.last = out.logits;
  }

  async prefill(ids) {
    this.cache = undefined;
    this.tokens = 0;
    await this.#read(ids);
  }

  context(ids) {
    return this.prefill(ids);
  }

  async decode(ids) {
    for (const id of ids) await this.#read([id]);
  }

  logits() {
    return Array.from(this.last.data.slice(0, SHOWN));
  }
}

const libraries = { 'node-llama-cpp': NodeLlamaCpp, '@huggingface/transformers': TransformersJs };
let peer = null;

async function load({ library, ...options }) {
  peer = new libraries[library]();
  return { versions: await peer.load(options) };
}

async function timed(work) {
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  await work();
  const wall = performance.now() - started;
  const { user, system } = process.cpuUsage(cpu);
  return { wall, cpu: (user + system) / 1000, rss: process.memoryUsage.rss(), logits: await peer.logits() };
}

// What libraries print must not mix with the answers.
const answer = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);
for await (const line of createInterface(process.stdin)) {
  const { do: what, ...request } = JSON.parse(line);
  try {
    const result = what === 'load' ? await load(request) : await timed(() => peer[what](request.ids));
    answer(`${JSON.stringify(result)}\n`);
  } catch (error) {
    answer(`${JSON.stringify({ error: String(error.message ?? error).split('\n')[0] })}\n`);
  }
}
process.exit();
