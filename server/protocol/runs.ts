import type { LabErrorData } from './errors.js';
import type { ModelId, RunDtype, Sampling } from './models.js';

export type RunId = string;

/** Everything needed to compute a run again, bit for bit: what is exported and what a restart replays. */
export interface RunRecipe {
  /** Path of the checkpoint (folder or file). */
  readonly path: string;
  /** Text prompt; null when `ids`, `image` or `inputs` is given. */
  readonly prompt: string | null;
  readonly ids: readonly number[] | null;
  /** Path of an image, for a model that reads one; then there is neither prompt nor ids. */
  readonly image?: string | undefined;
  /** Path of a file with tensors by the names of the model's inputs, for a model of one pass; then there is nothing else. */
  readonly inputs?: string | undefined;
  /** Wrap `prompt` as a user turn in the model's chat template. */
  readonly chat: boolean;
  readonly maxTokens: number;
  readonly sampling: Sampling;
  /** Set when this run was branched from another one. */
  readonly branch: { readonly run: RunId; readonly token: number } | null;
  /** What the weights are computed as; left out, what the server was told. A run that started says it. */
  readonly dtype?: RunDtype;
}

export type RunStatus = 'queued' | 'prefill' | 'decode' | 'done' | 'stopped' | 'failed';

/** How far the distributions of a run are from those of the same weights in fp32, on its prompt. */
export interface Divergence {
  readonly tokens: number;
  /** KL(fp32 ‖ run) in nats a token. */
  readonly mean: number;
  readonly largest: number;
  /** After which token it is largest. */
  readonly at: number;
  /** Share of tokens after which both find the same token most likely. */
  readonly agreement: number;
}

export interface RunInfo {
  readonly id: RunId;
  readonly model: ModelId;
  readonly modelName: string;
  /** Milliseconds since the epoch. */
  readonly created: number;
  readonly recipe: RunRecipe;
  /** Of a model of several stacks the one it went through (`vision`, `text`), else absent. */
  readonly tower?: string;
  readonly status: RunStatus;
  readonly error: LabErrorData | null;
  readonly promptTokens: number;
  readonly tokens: number;
  /** First words of the prompt, for lists. */
  readonly title: string;
  readonly prefillMs: number;
  readonly tokensPerSecond: number | null;
  /** Mean surprisal of the prompt's tokens in nats a token (the first has none). */
  readonly loss: number | null;
  /** Measured when somebody asked. */
  readonly divergence: Divergence | null;
  /** Bytes kept for this run: residual checkpoints, state, logits. */
  readonly memory: number;
  /** Tokens of the prompt that were taken over from another run with the same beginning. */
  readonly reused: number;
  /** Others needed its memory: it is computed again when it is looked at. */
  readonly dropped: boolean;
}

export interface Alternative {
  readonly id: number;
  readonly text: string;
  readonly probability: number;
}

export interface TokenInfo {
  readonly index: number;
  readonly id: number;
  /** As decoded alone; may be '�' for a token that ends inside a character. */
  readonly text: string;
  readonly bytes: readonly number[];
  /** UTF-16 offsets in the prompt text; null for generated tokens and bare ids. */
  readonly start: number | null;
  readonly end: number | null;
  readonly role: 'prompt' | 'generated';
  /** Of this token given those before it; null for the first. Of a model that fills in words: given all others. */
  readonly probability: number | null;
  /** −log2 probability. */
  readonly surprisal: number | null;
  /** Entropy in bits of the distribution this token was drawn from; null for the first. */
  readonly entropy: number | null;
  /** Rank of this token in that distribution, 0 = most likely; null for the first. */
  readonly rank: number | null;
  /** The most likely tokens of that distribution, best first. */
  readonly alternatives: readonly Alternative[];
}

export interface RunDetail extends RunInfo {
  readonly tokenInfos: readonly TokenInfo[];
  /** The distribution after the last token. */
  readonly next: readonly Alternative[];
}

export interface TokenPiece {
  readonly id: number;
  readonly text: string;
  /** UTF-16 offsets in the text. */
  readonly start: number;
  readonly end: number;
}
