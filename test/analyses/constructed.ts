import type { AttentionSpec } from '../../server/graph/blocks/attention.js';
import { ByteCache } from '../../server/lab/byteCache.js';
import { Memo } from '../../server/lab/memo.js';
import { PatternAttention } from '../../server/runtime/patternAttention.js';
import { sliceAxis } from '../../server/runtime/slices.js';
import type { LayerView, RunView } from '../../server/runtime/view.js';
import type { Tensor } from '../../server/tensor/tensor.js';

/** What a run computed once; `bytes` of it. */
export const freshMemo = (bytes = 1 << 26): Memo => new Memo(new ByteCache(bytes));

/** A run whose numbers are written down, so that what an analysis must say is known. */
export function constructedRun(
  ids: readonly number[],
  layers: readonly LayerView[],
  tensors: Readonly<Record<string, Tensor>>,
): RunView {
  const T = ids.length;
  const memo = freshMemo();
  const one = (name: string, from: number, to: number): Tensor => {
    const tensor = tensors[name];
    if (!tensor) throw new Error(`the test did not construct ${name}`);
    if (/\.state\.[kv]$/.test(name)) return tensor;
    const axis = /\.attn\.(z|out)$/.test(name) || !name.includes('.attn.') ? 0 : 1;
    const part = sliceAxis(tensor, axis, from, to);
    return /\.attn\.(pattern|scores)$/.test(name) ? sliceAxis(part, 2, 0, to) : part;
  };
  const sampling = { temperature: 0, topK: null, topP: null, seed: null };
  const view: RunView = {
    id: 'run',
    recipe: { path: '/m', prompt: null, ids, chat: false, maxTokens: 0, sampling, branch: null },
    model: {
      id: 'm',
      path: '/m',
      name: 'constructed',
      family: 'none',
      parameters: 0,
      dtype: 'F32',
      computed: 'own' as const,
      provider: 'cpu',
      memory: 0,
      vocabSize: 10,
      dModel: 4,
      contextLength: null,
      layers,
      probes: [],
      inputs: [{ name: 'input_ids', dtype: 'int64', shape: ['T'], optional: false }],
      outputs: ['logits'],
      generates: true,
      hasTokenizer: false,
      hasChatTemplate: false,
      sampling,
    },
    layers,
    ids,
    probes: async (names, options) => {
      const { from, to } = options?.range ?? { from: 0, to: T };
      return new Map(names.map((name) => [name, one(name, from, to)]));
    },
    attention: (layer) => new PatternAttention(view, layer),
    memo: (key, ...rest) => memo.get(key, ...rest),
    known: (key) => memo.known(key),
    keep: (kept) => memo.keep(kept),
    reach: (token) => token + 1,
    allocatedBytes: async () => 4096,
  };
  return view;
}

export function attentionLayer(spec: Partial<AttentionSpec>): LayerView {
  const attention = { heads: 1, kvHeads: 1, headDim: 2, scale: 1, softcap: null, window: null, rope: null, ...spec };
  const { heads, kvHeads, headDim, window } = attention;
  const state = (['k', 'v'] as const).map((name) => ({
    name,
    kind: 'kv' as const,
    shape: [kvHeads, 'S' as const, headDim],
    bytesFixed: 0,
    bytesPerToken: kvHeads * headDim * 4,
    keeps: window === null ? null : window - 1,
  }));
  return { index: 0, mixer: 'attention', heads, kvHeads, headDim, window, state, attention };
}

export const tensor = (shape: readonly number[], value: (...index: number[]) => number): Tensor => {
  const data = new Float32Array(shape.reduce((n, d) => n * d, 1));
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = value(...index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      index[axis] = 0;
    }
  }
  return { shape, data };
};

/** [heads, T, T] from one function a head. */
export const pattern = (T: number, ...heads: ((query: number, key: number) => number)[]): Tensor =>
  tensor([heads.length, T, T], (h, q, k) => (k > q ? 0 : (heads[h] as (q: number, k: number) => number)(q, k)));
