import path from 'node:path';
import { openCheckpoint } from '../../server/formats/registry.js';
import { foldBlocks } from '../../server/graph/segment.js';
import type { ActiveContext } from '../../server/language/context.js';
import type { RunDetail, TokenInfo } from '../../server/protocol/runs.js';
import { Model, parameterCount } from '../../server/runtime/model.js';
import { Run } from '../../server/runtime/run.js';
import { topK } from '../../server/runtime/sampler.js';
import { LocalDevice } from '../../server/runtime/sessions.js';
import { createTokenizer } from '../../server/tokenizer/registry.js';
import type { Piece, Tokenizer } from '../../server/tokenizer/tokenizer.js';

const SAMPLING = { temperature: 0, topK: null, topP: null, seed: null };

function distribution(logits: Float32Array): Float64Array {
  const max = logits.reduce((a, b) => Math.max(a, b));
  const weights = Float64Array.from(logits, (logit) => Math.exp(logit - max));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

function tokenInfo(index: number, piece: Piece, before: Float32Array | null, tokenizer: Tokenizer): TokenInfo {
  const common = {
    index,
    id: piece.id,
    text: piece.text,
    bytes: [...tokenizer.bytes(piece.id)],
    start: piece.start,
    end: piece.end,
  };
  if (!before)
    return { ...common, role: 'prompt', probability: null, surprisal: null, entropy: null, rank: null, alternatives: [] };
  const p = distribution(before);
  const probability = p[piece.id] as number;
  const alternatives = topK(before, 8).map((id) => ({ id, text: tokenizer.text(id), probability: p[id] as number }));
  const entropy = -p.reduce((sum, each) => sum + (each > 0 ? each * Math.log2(each) : 0), 0);
  const rank = p.reduce((count, each) => count + (each > probability ? 1 : 0), 0);
  return { ...common, role: 'prompt', probability, surprisal: -Math.log2(probability), entropy, rank, alternatives };
}

/** An embedded model with a run of `prompt` on it, computed by the engine. */
export async function activeModel(
  name: string,
  prompt: string,
): Promise<ActiveContext & { readonly close: () => Promise<void>; readonly engine: Run }> {
  const checkpoint = await openCheckpoint(path.resolve('media/models', name));
  if (!checkpoint.tokenizer) throw new Error(`${name} has no tokenizer`);
  const tokenizer = await createTokenizer(checkpoint.tokenizer);
  const model = await Model.open(checkpoint, { device: new LocalDevice(), threads: 1, memoryLimit: 2 ** 32 });
  const run = await Run.create(model);
  const pieces = tokenizer.encode(prompt);
  await run.prefill(pieces.map((piece) => piece.id));
  const infos: TokenInfo[] = [];
  let before: Float32Array | null = null;
  await run.eachLogits({ from: 0, to: pieces.length }, (t, logits) => {
    infos.push(tokenInfo(t, pieces[t] as Piece, before, tokenizer));
    before = logits.slice();
  });
  const { vocab, dModel, context } = model.bound.config;
  const detail: RunDetail = {
    ...{
      id: 'run',
      model: 'model',
      modelName: name,
      created: 0,
      status: 'done',
      error: null,
      title: prompt,
      prefillMs: 1,
      tokensPerSecond: null,
    },
    recipe: { path: checkpoint.path, prompt, ids: null, chat: false, maxTokens: 0, sampling: SAMPLING, branch: null },
    ...{
      promptTokens: pieces.length,
      tokens: pieces.length,
      loss: null,
      divergence: null,
      memory: 0,
      reused: 0,
      dropped: false,
      tokenInfos: infos,
      next: [],
    },
  };
  return {
    model: {
      ...{
        id: 'model',
        path: checkpoint.path,
        name,
        family: model.bound.architecture.id,
        parameters: parameterCount(checkpoint),
      },
      ...{
        dtype: 'F16',
        computed: 'own' as const,
        provider: 'cpu',
        memory: 0,
        vocabSize: vocab,
        dModel,
        contextLength: context,
        layers: model.layers,
      },
      ...{
        probes: foldBlocks(model.probes),
        inputs: [{ name: 'input_ids', dtype: 'int64', shape: ['T'], optional: false }],
        outputs: ['logits'],
        generates: true,
        hasTokenizer: true,
        hasChatTemplate: false,
        sampling: SAMPLING,
      },
    },
    run: detail,
    config: checkpoint.config,
    tensors: [...checkpoint.tensors.values()],
    tokenizer,
    layer: 0,
    readProbe: async (probe) => {
      const tensor = (await run.probes([probe])).get(probe);
      if (!tensor) return null;
      const norm = Math.sqrt(tensor.data.reduce((sum, value) => sum + value * value, 0));
      return { shape: tensor.shape, dtype: 'F32', bytes: tensor.data.length * 4, norm };
    },
    engine: run,
    close: async () => {
      await run.close();
      await model.close();
    },
  };
}
