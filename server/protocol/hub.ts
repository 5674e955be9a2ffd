import type { LabErrorData } from './errors.js';
import type { CheckpointSummary } from './models.js';

/** One model of a repository: which of its files it takes. */
export interface HubVariant {
  /** `safetensors`, `pytorch`, or the name of its file (without the number of a part). */
  readonly id: string;
  /** With its quantisation where the name of the file says it. */
  readonly label: string;
  /** The file that is opened; null for the folder. */
  readonly file: string | null;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly bytes: number;
}

/** A repository before anything of it is downloaded. */
export interface HubPreview {
  readonly repo: string;
  /** As asked for. */
  readonly revision: string;
  readonly commit: string;
  readonly private: boolean;
  readonly gated: boolean;
  readonly variants: readonly (HubVariant & {
    /** Bytes of it that are in the cache, whole or in part. */
    readonly cached: number;
    /** Where it is, when all of it is. */
    readonly path: string | null;
  })[];
  /** Id of the variant that `summary` is of. */
  readonly variant: string;
  /** From its headers alone; null with the reason in `unreadable`. */
  readonly summary: CheckpointSummary | null;
  readonly unreadable: LabErrorData | null;
  /** Bytes that it takes once it is open, and that are free now; null for what cannot run. */
  readonly memory: { readonly needed: number; readonly free: number } | null;
  /** Bytes that were fetched to tell this. */
  readonly fetched: number;
  readonly cache: { readonly folder: string; readonly free: number };
  readonly endpoint: string;
  /** Whether a token was sent along. */
  readonly authorised: boolean;
}
