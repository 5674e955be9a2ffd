import type { NodeProto } from '../onnx_pb.js';

/**
 * A value of a head's tokens and how its axes lie: `heads` [B,H,T,E] (or [H,T,E]), `turned` [B,H,E,T], `flat` [B,T,H·E]. Scores and patterns
 * are [B,H,T,S].
 */
export interface HeadValue {
  readonly value: string;
  readonly layout: 'heads' | 'turned' | 'flat';
  /** Of `flat`, where the operator says it. */
  readonly heads: number | null;
}

/** One attention of a graph, whichever way its exporter spelled it. */
export interface AttentionSite {
  /** Index of the node that multiplies queries with keys. */
  readonly node: number;
  readonly op: string;
  readonly pattern: HeadValue;
  /** What enters the softmax; as written, or as an added node gives it. */
  readonly scores: HeadValue | null;
  /** Its operator leaves zeros where the mask hides a key. */
  readonly scoresUnmasked?: boolean;
  /** As multiplied, after positions. */
  readonly q: HeadValue | null;
  /** With those of earlier tokens in front, as many heads as the queries or fewer. */
  readonly k: HeadValue | null;
  readonly v: HeadValue | null;
  readonly z: HeadValue | null;
  /** Factor between q·k and the scores; null: 1/√E. */
  readonly scale: number | null;
  readonly softcap: number | null;
  readonly window: number | null;
  /** Nodes that the graph lacks and that give some of these values. */
  readonly added: readonly NodeProto[];
  /** Values of theirs whose type ONNX Runtime does not infer: that of this value. */
  readonly typed?: Readonly<Record<string, string>>;
}

/** A value of every token: `steps` [T,B,…], `flat` [B,T,H·E] or [B,T,H] with so many heads. */
export interface StepValue {
  readonly value: string;
  readonly layout: 'steps' | 'flat';
  readonly heads: number | null;
}

/** One recurrence of a graph, and its states after every token. */
export interface RecurrentSite {
  readonly node: number;
  readonly op: string;
  /** Of `Recurrence` in the protocol: how its states are updated, where that is known. */
  readonly mixer: 'lstm' | 'gru' | 'rnn' | 'loop' | 'deltanet' | 'linear_attention';
  readonly states: Readonly<Record<string, StepValue>>;
  /** What an update is made of, by the short names of probes. */
  readonly probes: Readonly<Record<string, StepValue>>;
  /** Nodes that the graph lacks and that give some of these values. */
  readonly added: readonly NodeProto[];
}
