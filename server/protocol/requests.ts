import type {
  AttentionCell,
  AttentionColumn,
  AttentionEdges,
  AttentionRow,
  AttentionThumbnails,
  AttentionTile,
} from './attention.js';
import type { DoctorReport } from './doctor.js';
import type { Fit, FitWanted, Machine, MeasuredParts } from './fit.js';
import type { GraphNorms, GraphOutline, GraphPart, GraphValueAt, SegmentGraph } from './graph.js';
import type { HubPreview } from './hub.js';
import type {
  CacheMap,
  CacheOverview,
  CacheSlice,
  LayerOfRun,
  ReceivedAttention,
  StateOverview,
  StateRanks,
  StateSeries,
  StateStep,
  TensorPicture,
} from './inspect.js';
import type { CheckpointSummary, FileCommand, ModelEntry, ModelId, ModelInfo } from './models.js';
import type { RunOutputs, RunPicture } from './passes.js';
import type { Divergence, RunDetail, RunId, RunInfo, RunRecipe, TokenPiece } from './runs.js';
import type { WireTensor } from './tensors.js';
import type { TextChange, TokenComparison, TokenDetail, TokenWindow, Vocabulary, VocabularyId } from './tokens.js';
import type {
  CheckpointDiff,
  MatrixProduct,
  Quantisation,
  TensorChannels,
  TensorDiffPicture,
  TensorSpectrum,
} from './weights.js';

type Empty = Record<string, never>;
type Of<P, R> = { readonly params: P; readonly result: R };

/** Every request the server answers. Both hops (webview → extension → server) are typed by this map; the relay is blind to it. */
export interface Requests {
  'lab/doctor': Of<Empty, DoctorReport>;
  /** Model files in these folders (plus embedded and recent ones), without opening them. */
  'models/find': Of<{ readonly folders: readonly string[] }, readonly ModelEntry[]>;
  /** Header only; never reads weights. */
  'models/inspect': Of<{ readonly path: string }, CheckpointSummary>;
  'models/open': Of<{ readonly path: string }, ModelInfo>;
  /** The command line that inspects a checkpoint with these options; `weights` and `diff` take a tensor or another checkpoint first. */
  'models/command': Of<FileCommand, { readonly command: string }>;
  'models/close': Of<{ readonly model: ModelId }, Empty>;
  'models/list': Of<Empty, readonly ModelInfo[]>;
  /** A model on the Hugging Face Hub, from its headers: `model` as a person names it, `variant` the one of its models to look into. */
  'hub/preview': Of<{ readonly model: string; readonly revision: string | null; readonly variant: string | null }, HubPreview>;
  /** Downloads a variant into the cache of huggingface_hub, going on where it broke off. Cancelling keeps what has arrived. */
  'hub/download': Of<
    { readonly model: string; readonly revision: string | null; readonly variant: string | null },
    { readonly path: string }
  >;
  /** The access token of the editor's secret store, or none. Only the extension says this. */
  'hub/token': Of<{ readonly token: string | null }, Empty>;
  'tokens/encode': Of<
    { readonly model: ModelId; readonly text: string; readonly chat: boolean },
    { readonly text: string; readonly pieces: readonly TokenPiece[] }
  >;
  /** Those that come with the lab, of open models, and of models in these folders. */
  'tokens/vocabularies': Of<{ readonly folders: readonly string[] }, readonly Vocabulary[]>;
  /** Keeps the text of a document: the whole, or edits of its version `base`, in order, after which it is `length` long. Errors: DOCUMENT_UNKNOWN. */
  'tokens/sync': Of<
    {
      readonly document: string;
      readonly version: number;
      readonly base: number | null;
      readonly length: number;
      readonly text: string | null;
      readonly changes: readonly TextChange[];
    },
    Empty
  >;
  /** Counts of a whole document in up to four vocabularies; `file` is where it is saved, for the command that tells the same. */
  'tokens/compare': Of<
    {
      readonly document: string;
      /** This version, or a later one. */
      readonly version: number;
      readonly vocabularies: readonly VocabularyId[];
      readonly file: string | null;
    },
    TokenComparison
  >;
  /** The tokens of a stretch of a document, at most 16,384 UTF-16 units. */
  'tokens/window': Of<
    {
      readonly document: string;
      readonly version: number;
      readonly vocabularies: readonly VocabularyId[];
      readonly from: number;
      readonly to: number;
    },
    TokenWindow
  >;
  /** What made a token: its merges, or what the tokenizer has in their place. */
  'tokens/merges': Of<{ readonly vocabulary: VocabularyId; readonly id: number }, TokenDetail>;
  /** Starts a run (opening its model when needed) and returns at once; tokens follow as events. */
  'runs/start': Of<RunRecipe, RunInfo>;
  'runs/stop': Of<{ readonly run: RunId }, Empty>;
  'runs/remove': Of<{ readonly run: RunId }, Empty>;
  'runs/list': Of<Empty, readonly RunInfo[]>;
  'runs/get': Of<{ readonly run: RunId }, RunDetail>;
  /** Compares the prompt's distributions with those of the same weights in fp32, which are loaded for it and let go. */
  'runs/divergence': Of<{ readonly run: RunId }, Divergence>;
  /** A new run that keeps tokens 0…token−1 and goes on with `id` at `token`. */
  'runs/branch': Of<{ readonly run: RunId; readonly token: number; readonly id: number }, RunInfo>;
  /** Writes FILE.safetensors with the probes asked for and FILE.json with the recipe. */
  'runs/export': Of<
    { readonly run: RunId; readonly file: string; readonly probes: readonly string[] },
    { readonly files: readonly string[] }
  >;
  /** The image of a run. Errors: PICTURE_NONE. */
  'runs/picture': Of<{ readonly run: RunId }, RunPicture>;
  /** What a run through a model of one pass said. Errors: OUTPUTS_NONE for one that goes on token by token. */
  'runs/outputs': Of<{ readonly run: RunId }, RunOutputs>;
  'runs/command': Of<{ readonly run: RunId; readonly probes: readonly string[] }, { readonly command: string }>;
  /** Any probe or state of a run, recomputed from its residual checkpoint: [T, …] or [H, T, T]. At most 64 MB. */
  'probe/read': Of<{ readonly run: RunId; readonly probe: string }, WireTensor>;

  /** All heads of a layer; a sample of queries comes at once. The first `count` tokens are looked at, here and below. */
  'attention/thumbnails': Of<LayerOfRun & { readonly count: number; readonly sample: boolean }, AttentionThumbnails>;
  /** All of a head at once, from a sample of queries. */
  'attention/preview': Of<
    LayerOfRun & { readonly head: number; readonly count: number; readonly pool: 'mean' | 'max' },
    AttentionTile
  >;
  'attention/tile': Of<
    LayerOfRun & {
      readonly head: number;
      readonly count: number;
      readonly level: number;
      readonly row: number;
      readonly col: number;
      readonly pool: 'mean' | 'max';
    },
    AttentionTile
  >;
  /** Which queries read a key. */
  'attention/column': Of<LayerOfRun & { readonly head: number; readonly key: number; readonly count: number }, AttentionColumn>;
  'attention/edges': Of<LayerOfRun & { readonly count: number; readonly most: number }, AttentionEdges>;
  'attention/row': Of<LayerOfRun & { readonly head: number; readonly query: number }, AttentionRow>;
  'attention/cell': Of<LayerOfRun & { readonly head: number; readonly query: number; readonly key: number }, AttentionCell>;

  'cache/overview': Of<{ readonly run: RunId }, CacheOverview>;
  'cache/map': Of<LayerOfRun & { readonly state: string }, CacheMap>;
  'cache/received': Of<LayerOfRun, ReceivedAttention>;
  'cache/slice': Of<LayerOfRun & { readonly kvHead: number; readonly token: number }, CacheSlice>;

  'state/overview': Of<{ readonly run: RunId }, StateOverview>;
  'state/series': Of<LayerOfRun & { readonly state: string; readonly group: number }, StateSeries>;
  /** Takes longer than the rest of the history, and comes behind it. */
  'state/ranks': Of<LayerOfRun & { readonly state: string; readonly group: number }, StateRanks>;
  'state/step': Of<
    LayerOfRun & { readonly state: string; readonly group: number; readonly token: number; readonly against: number | null },
    StateStep
  >;

  'weights/tensor': Of<
    { readonly path: string; readonly tensor: string; readonly rows: number; readonly cols: number; readonly bins: number },
    TensorPicture
  >;
  /** Singular values of a stored matrix. */
  'weights/spectrum': Of<{ readonly path: string; readonly tensor: string }, TensorSpectrum>;
  /** Norms of rows and columns, and those that stand out. */
  'weights/channels': Of<{ readonly path: string; readonly tensor: string }, TensorChannels>;
  /** What blocks of it span, and what it would lose in block formats. */
  'weights/quantisation': Of<{ readonly path: string; readonly tensor: string }, Quantisation>;
  /** y = A x at one token of a run, by singular directions. */
  'weights/product': Of<
    { readonly run: RunId; readonly tensor: string; readonly token: number; readonly directions: number },
    MatrixProduct
  >;
  /** Two checkpoints by tensor. Reads both once. */
  'weights/diff': Of<{ readonly a: string; readonly b: string }, CheckpointDiff>;
  'weights/diffTensor': Of<
    {
      readonly a: string;
      readonly b: string;
      readonly tensor: string;
      readonly rows: number;
      readonly cols: number;
      readonly bins: number;
    },
    TensorDiffPicture
  >;
  /** The segments of a model and which of them are built alike. Reads no weights. */
  'model/outline': Of<{ readonly path: string }, GraphOutline>;
  /** Every operator of one segment; of parts built alike (experts) only number `shown`. Sizes of a call with `tokens` tokens; null: symbolic. */
  'model/segment': Of<
    {
      readonly path: string;
      readonly tower: string;
      readonly part: GraphPart;
      readonly shown: number;
      readonly tokens: number | null;
    },
    SegmentGraph
  >;
  /** Any value of the graph at one token of a run, by its name as a probe: `blocks.3.attn.z`, `blocks.3.#v17`. */
  'graph/value': Of<{ readonly run: RunId; readonly probe: string; readonly token: number; readonly side: number }, GraphValueAt>;
  /** L2 norms of values of one block, or of embed, or of head. */
  'graph/norms': Of<{ readonly run: RunId; readonly probes: readonly string[]; readonly token: number }, GraphNorms>;
  /** L2 norm of the residual stream entering each block, and leaving the last: [L + 1]. */
  'graph/flow': Of<{ readonly run: RunId; readonly token: number }, GraphNorms>;
  /** Machines that a model can be fitted to: this one first, then others by what their makers publish. */
  'fit/machines': Of<Empty, readonly Machine[]>;
  /** Memory and speed of a model on a machine, predicted from its graph. Reads no weights. This machine is measured the first time. */
  'fit/predict': Of<FitWanted & { readonly path: string; readonly machine: string }, Fit>;
  /** Seconds of each segment alone on this machine; loads the weights of one after the other. */
  'fit/measure': Of<FitWanted & { readonly path: string }, MeasuredParts>;
  /** Tells the hovers which model, run and layer are on screen. */
  'language/active': Of<{ readonly model: ModelId | null; readonly run: RunId | null; readonly layer: number }, Empty>;
}

export type Method = keyof Requests;
export type Params<M extends Method> = Requests[M]['params'];
export type Result<M extends Method> = Requests[M]['result'];
