import type { TensorPicture } from '../../server/protocol/inspect.js';
import type { CheckpointSummary, TensorSummary } from '../../server/protocol/models.js';
import type { Params } from '../../server/protocol/requests.js';
import { noise } from './syntheticTokens.js';

const WIDTH = 192;

export function checkpoint(path: string, layers: number): CheckpointSummary {
  const tensors = tensorsOf(layers);
  const { offset, bytes } = tensors.at(-1) ?? { offset: 0, bytes: 0 };
  const end = offset + bytes;
  const unknown = path.includes('unknown');
  return {
    path,
    name: path.split('/').at(-1) ?? path,
    format: 'safetensors',
    files: [{ path: `${path}/model.safetensors`, bytes: end }],
    architecture: unknown ? null : 'llama',
    unsupported: unknown
      ? {
          code: 'ARCHITECTURE_UNKNOWN',
          message: 'config.json names "DeepFooForCausalLM", which is none of the families that Model Lab knows.',
          hint: 'The families are: gpt2, llama, mistral, qwen2, qwen3, gemma3, mamba, rwkv7.',
        }
      : null,
    parameters: tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    bytes: end,
    config: {
      architectures: ['LlamaForCausalLM'],
      hidden_size: WIDTH,
      num_hidden_layers: layers,
      num_attention_heads: 9,
      num_key_value_heads: 3,
      rope_scaling: { type: 'yarn', factor: 4 },
      vocab: Array.from({ length: 4096 }, (_, i) => `t${i}`),
      tie_word_embeddings: false,
    },
    metadata: { format: 'pt' },
    tokenizer: { kind: 'BPE', vocabSize: 4096 },
    tensors,
    layers: unknown ? [] : layersOf(layers),
    inputs: [{ name: 'input_ids', dtype: 'int64', shape: ['T'], optional: false }],
    outputs: ['logits'],
    probes: unknown
      ? []
      : [
          'embed',
          'blocks.i.resid_pre',
          'blocks.i.attn.q',
          'blocks.i.attn.k',
          'blocks.i.attn.pattern',
          'blocks.i.mlp.out',
          'ln_final',
          'logits',
        ],
  };
}

function tensorsOf(layers: number): TensorSummary[] {
  const shapes: [string, number[]][] = [
    ['model.embed_tokens.weight', [4096, WIDTH]],
    ...Array.from({ length: layers }, (_, i): [string, number[]][] =>
      (
        [
          ['self_attn.q_proj.weight', [WIDTH, WIDTH]],
          ['self_attn.k_proj.weight', [64, WIDTH]],
          ['self_attn.v_proj.weight', [64, WIDTH]],
          ['self_attn.o_proj.weight', [WIDTH, WIDTH]],
          ['mlp.gate_proj.weight', [512, WIDTH]],
          ['mlp.up_proj.weight', [512, WIDTH]],
          ['mlp.down_proj.weight', [WIDTH, 512]],
          ['input_layernorm.weight', [WIDTH]],
          ['post_attention_layernorm.weight', [WIDTH]],
        ] as [string, number[]][]
      ).map(([name, shape]) => [`model.layers.${i}.${name}`, shape]),
    ).flat(),
    ['model.norm.weight', [WIDTH]],
    ['lm_head.weight', [4096, WIDTH]],
  ];
  let offset = 4096;
  return shapes.map(([name, shape]): TensorSummary => {
    const dtype = name.includes('norm') ? 'F32' : 'BF16';
    const bytes = shape.reduce((a, b) => a * b, 1) * (dtype === 'F32' ? 4 : 2);
    const tensor = { name, dtype, shape, bytes, file: 0, offset };
    offset += bytes;
    return tensor;
  });
}

const layersOf = (layers: number) =>
  Array.from({ length: layers }, (_, index) => ({
    index,
    mixer: 'attention' as const,
    heads: 9,
    kvHeads: 3,
    headDim: 64,
    window: index % 3 === 2 ? 1024 : null,
    state: ['k', 'v'].map((name) => ({
      name,
      kind: 'kv' as const,
      shape: [3, 'S' as const, 64],
      bytesFixed: 0,
      bytesPerToken: 768,
      keeps: index % 3 === 2 ? 1023 : null,
    })),
  }));

export function tensorPicture(params: Params<'weights/tensor'>, layers: number): TensorPicture {
  const tensor = checkpoint(params.path, layers).tensors.find(({ name }) => name === params.tensor);
  const shape = tensor?.shape ?? [1];
  const cols = shape.at(-1) ?? 1;
  const rows = shape.slice(0, -1).reduce((a, b) => a * b, 1);
  const [r, c] = [Math.min(rows, params.rows), Math.min(cols, params.cols)];
  const broken = params.tensor.includes('layers.1.mlp.up');
  const bell = (i: number, j: number) => (noise(i, j, 1) + noise(i, j, 2) + noise(i, j, 3) - 1.5) * (j % 37 === 5 ? 0.4 : 0.1);
  const data = Float32Array.from({ length: r * c }, (_, at) =>
    broken && at % 911 === 5 ? (at % 2 ? Number.NaN : Infinity) : bell(Math.floor(at / c), at % c),
  );
  const edges = Float32Array.from({ length: params.bins + 1 }, (_, i) => -0.6 + (1.2 * i) / params.bins);
  const counts = Float32Array.from({ length: params.bins }, (_, i) =>
    Math.floor(1e5 * Math.exp(-(((i - params.bins / 2) / 9) ** 2))),
  );
  return {
    rows,
    cols,
    heatmap: { shape: [r, c], data },
    histogram: { edges: { shape: [params.bins + 1], data: edges }, counts: { shape: [params.bins], data: counts } },
    stats: {
      min: -0.58,
      max: 0.592,
      mean: 1.2e-4,
      std: 0.0871,
      nan: broken ? 53 : 0,
      inf: broken ? 2 : 0,
      zeros: 11,
      count: rows * cols,
    },
    sampled: rows > 1000,
    bytesRead: 1_000_000,
    provenance: { model: 'tiny-llama', dtype: 'BF16', probe: params.tensor, provider: 'file', ms: 3 },
  };
}
