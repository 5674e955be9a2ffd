import type { Saved } from '../formats/writeSafetensors.js';
import { LabError } from '../protocol/errors.js';
import type { RunOutputs, RunPicture } from '../protocol/passes.js';
import type { RunDetail, RunId, RunInfo, RunRecipe } from '../protocol/runs.js';
import type { Sequence } from '../runtime/sequence.js';
import type { Watched } from '../runtime/view.js';
import type { LabModel } from './models.js';

/** What views read of a run. */
export type Inspected = Pick<Sequence, 'layers' | 'ids' | 'probes' | 'stateBytes' | 'attention' | 'reach'>;

/** What is written of a run beside the probes asked for. */
export type Exported = ReadonlyMap<string, Saved>;

/** A run as the lab keeps it, whatever kind of model it went through. */
export interface LabRun {
  readonly id: RunId;
  readonly model: LabModel;
  readonly recipe: RunRecipe;
  readonly created: number;
  readonly info: RunInfo;
  readonly detail: RunDetail;
  /** Bytes held for looking inside. */
  readonly memory: number;
  /** Whether others needed its memory: it is computed again when somebody looks. */
  readonly dropped: boolean;
  /** Whether it is being computed or looked at. */
  readonly busy: boolean;
  /** Errors: RUN_NOT_READY, or the run's own error. */
  readonly engine: Inspected;
  /** Does something with the engine's run, which stays meanwhile; computes it again first when it was dropped. Errors: RUN_NOT_READY, CANCELLED. */
  use<R>(work: (engine: Inspected) => Promise<R>, watched: Watched): Promise<R>;
  /** Gives its memory to others; what a person reads of it stays. Does nothing while it is busy. */
  drop(): Promise<void>;
  /** Computes it. Never rejects: the run tells its error. */
  execute(): Promise<void>;
  stop(): void;
  /** Stops, and frees what it holds. */
  close(): Promise<void>;
  exported(signal: AbortSignal): Promise<Exported>;
  /** Errors: PICTURE_NONE, RUN_NOT_READY. */
  picture(): RunPicture;
  /** `others`: all runs there are. Errors: OUTPUTS_NONE, RUN_NOT_READY. */
  outputs(others: readonly LabRun[], signal: AbortSignal): Promise<RunOutputs>;
}

/** Characters of a run's title. */
const TITLE = 60;

/** What a run is listed as: its beginning on one line. */
export function titled(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  const start = Array.from(line.slice(0, 2 * TITLE))
    .slice(0, TITLE)
    .join('');
  return start.length < line.length ? `${start.trimEnd()}…` : start;
}

export const notReady = () =>
  new LabError({
    code: 'RUN_NOT_READY',
    message: 'This run has no tokens yet.',
    hint: 'Wait until the prompt has been read, or look at the error of the run.',
  });

export const noPicture = () =>
  new LabError({ code: 'PICTURE_NONE', message: 'This run read no image.', hint: 'Give an image to a model that takes one.' });

export const noOutputs = () =>
  new LabError({
    code: 'OUTPUTS_NONE',
    message: 'This model goes on token by token; what it says are its tokens.',
    hint: 'Select a run of a model that reads its input in one pass.',
  });
