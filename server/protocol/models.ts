import type { LabErrorData } from './errors.js';
import type { Keeps } from './keeps.js';

/** How files that open as a model end; besides, `pytorch_model*.bin`. */
export const modelExtensions = ['safetensors', 'gguf', 'pth', 'pt', 'ckpt', 'onnx'] as const;

/** Opaque name of an open model. */
export type ModelId = string;

export interface TensorSummary {
  readonly name: string;
  /** As the file spells it: F32, F16, BF16, Q4_K … */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Index into `CheckpointSummary.files`. */
  readonly file: number;
  /** Byte offset of the data in that file. */
  readonly offset: number;
}

/** One piece of declared state of one block, e.g. `k` of an attention layer or `ssm` of a Mamba layer. */
export interface StateSummary {
  /** Short name: k, v, conv, ssm, wkv, att_shift, ffn_shift … */
  readonly name: string;
  /** `kv` grows with the tokens; the others keep their size. */
  readonly kind: 'kv' | 'conv' | 'matrix' | 'shift';
  /** Shape after T tokens; 'S' marks the axis that grows. */
  readonly shape: readonly (number | 'S')[];
  /** fp32 bytes: fixed + perToken × (rows kept). */
  readonly bytesFixed: number;
  readonly bytesPerToken: number;
  /** Which rows are kept: a sliding window of w tokens needs w − 1 old ones. */
  readonly keeps: Keeps;
  /** It begins as the checkpoint says, not as zeros. */
  readonly learned?: boolean;
}

/**
 * How a recurrent layer updates its state: `rwkv` is version 7, `rwkv5` also 6; `vim` is Mamba's in both directions. The last five are those of
 * ONNX graphs; `loop` is one of the graph's own making.
 */
export type Recurrence =
  | 'mamba'
  | 'mamba2'
  | 'vim'
  | 'rwkv4'
  | 'rwkv5'
  | 'rwkv'
  | 'rglru'
  | 'deltanet'
  | 'mlstm'
  | 'ttt_linear'
  | 'ttt_mlp'
  | 'cema'
  | 'lstm'
  | 'gru'
  | 'rnn'
  | 'loop'
  | 'linear_attention';

export interface LayerSummary {
  readonly index: number;
  /** Of a model of several stacks the one it belongs to (`vision`, `text`), else absent. */
  readonly tower?: string;
  /** What mixes tokens in this block; of a block that attends and recurs as well, its recurrence. */
  readonly mixer: 'attention' | Recurrence;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Sliding window in tokens, null for full attention or recurrence. */
  readonly window: number | null;
  /** False: a token sees those behind it too. Absent: it does not. */
  readonly causal?: boolean;
  /** Tokens of a chunk, when a query sees only its own. */
  readonly chunk?: number;
  /** Of a block that reads in several ways: which of them its pattern is, in words. */
  readonly part?: string;
  readonly state: readonly StateSummary[];
}

/** A hybrid block may do both. An encoder attends without keeping anything. */
export const attends = (layer: LayerSummary): boolean => layer.mixer === 'attention' || caches(layer);
export const caches = ({ state }: LayerSummary): boolean => state.some(({ kind }) => kind === 'kv');
/** The layers that a run went through. */
export const layersOf = (layers: readonly LayerSummary[], tower: string | undefined): readonly LayerSummary[] =>
  layers.filter((layer) => layer.tower === tower);

export const recurs = ({ state }: LayerSummary): boolean => state.some(({ kind }) => kind !== 'kv');

/** What a model is given under a name. Sizes: numbers, or names of sizes known when it is given. */
export interface InputSummary {
  readonly name: string;
  readonly dtype: string;
  /** Null: of any rank. */
  readonly shape: readonly (number | string)[] | null;
  readonly optional: boolean;
}

/** Before the name of a GGUF's architecture that has no table: no family of Hugging Face's is meant. */
export const UNNAMED = 'gguf:';

/** Something that was told from a checkpoint's tensors and config, because its family is not known by name. */
export interface Inference {
  /** "4 KV heads". */
  readonly what: string;
  /** "k_proj has 128 rows of head_dim 32". */
  readonly because: string;
  /** Nothing in the files says so; it is what most models do. */
  readonly assumed: boolean;
  /** The key of the config that would say the opposite of an assumption. */
  readonly otherwise?: { readonly key: string; readonly value: boolean | string };
}

/** What a header alone says: nothing here needs the weights. */
export interface CheckpointSummary {
  readonly path: string;
  readonly name: string;
  readonly format: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  /** Family id (`llama`, `mamba` …), or null with `unsupported` saying why it cannot run. */
  readonly architecture: string | null;
  /** How the family was told from the files alone; absent when it is known by name. */
  readonly inferred?: readonly Inference[];
  readonly unsupported: LabErrorData | null;
  readonly parameters: number;
  readonly bytes: number;
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tokenizer: { readonly kind: string; readonly vocabSize: number } | null;
  readonly tensors: readonly TensorSummary[];
  readonly layers: readonly LayerSummary[];
  readonly inputs: readonly InputSummary[];
  readonly outputs: readonly string[];
  /** Probe names, `blocks.i.` standing for every block that has it. */
  readonly probes: readonly string[];
}

export interface ModelEntry {
  readonly path: string;
  readonly name: string;
  /** `cache`: downloaded by Hugging Face's tools, or by this one. */
  readonly source: 'embedded' | 'workspace' | 'recent' | 'cache';
  readonly format: string;
  readonly bytes: number;
  /** Set while the model is open. */
  readonly open: ModelId | null;
}

export interface ModelInfo {
  readonly id: ModelId;
  readonly path: string;
  readonly name: string;
  readonly family: string;
  /** How the family was told from the files alone; absent when it is known by name. */
  readonly inferred?: readonly Inference[];
  readonly parameters: number;
  /** As the file spells it, with what it is computed as when that is not its own: `Q4_1`, `F16 as int4`. */
  readonly dtype: string;
  readonly computed: RunDtype;
  /** The dtype it was opened for, where it is computed as its own all the same: a graph from a file says itself how. */
  readonly ignoredDtype?: RunDtype;
  readonly provider: string;
  /** Bytes this model holds in memory now (weights as bound). */
  readonly memory: number;
  /** 0 where there are no words, or where the inside is not known. */
  readonly vocabSize: number;
  readonly dModel: number;
  readonly contextLength: number | null;
  readonly layers: readonly LayerSummary[];
  readonly probes: readonly string[];
  readonly inputs: readonly InputSummary[];
  readonly outputs: readonly string[];
  /** It goes on token by token; otherwise it reads its input in one pass and says its outputs. */
  readonly generates: boolean;
  readonly hasTokenizer: boolean;
  readonly hasChatTemplate: boolean;
  readonly sampling: Sampling;
}

/**
 * What weights are computed as: `own`, exactly what the file says (quantised GGUF blocks as they are, in fp32 arithmetic); `fp32`, decoded;
 * `int8` and `int4`, matrices rounded in runs of 64 or 32 and activations to 8 bits (what is quantised in the file keeps its own numbers).
 */
export const runDtypes = ['own', 'fp32', 'int8', 'int4'] as const;
export type RunDtype = (typeof runDtypes)[number];

/** temperature 0 is greedy. */
export interface Sampling {
  readonly temperature: number;
  readonly topK: number | null;
  readonly topP: number | null;
  readonly seed: number | null;
}

/** Words of a command line about a checkpoint: `inspect` when no verb is said. */
export interface FileCommand {
  readonly verb?: 'inspect' | 'weights' | 'diff';
  readonly path: string;
  readonly options: readonly string[];
}
