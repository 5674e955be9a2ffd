import type { Graph } from '../graph/ir.js';
import type { Feed, Sink } from './device.js';

/** What the inputs of a segment stand for: names are made by SegmentBuilder, read here and nowhere else. */
export type InputRole =
  | { readonly role: 'tokens' }
  | { readonly role: 'given'; readonly name: string }
  | { readonly role: 'past' }
  | { readonly role: 'reach' }
  | { readonly role: 'resid' }
  | { readonly role: 'carry'; readonly carry: string }
  | { readonly role: 'state'; readonly block: number; readonly state: string }
  | { readonly role: 'kept'; readonly block: number; readonly state: string }
  | { readonly role: 'intervention'; readonly probe: string; readonly part: 'scale' | 'shift' };

const STATE = /^blocks\.(\d+)\.state\.(\w+)\.past$/;
const KEPT = /^blocks\.(\d+)\.state\.(\w+)\.kept$/;
const NEW_STATE = /^blocks\.(\d+)\.state\.(\w+)\.new$/;
const INTERVENTION = /^(.*)\.(scale|shift)$/;

export function inputRole(name: string): InputRole {
  if (name === 'tokens' || name === 'past' || name === 'reach' || name === 'resid') return { role: name };
  if (name.startsWith('given.')) return { role: 'given', name: name.slice('given.'.length) };
  if (name.startsWith('carry.')) return { role: 'carry', carry: name };
  const state = STATE.exec(name);
  if (state) return { role: 'state', block: Number(state[1]), state: state[2] as string };
  const kept = KEPT.exec(name);
  if (kept) return { role: 'kept', block: Number(kept[1]), state: kept[2] as string };
  const change = INTERVENTION.exec(name);
  if (change) return { role: 'intervention', probe: change[1] as string, part: change[2] as 'scale' | 'shift' };
  throw new RangeError(`segment input ${name} has no meaning`);
}

export const feedsOf = (graph: Graph, give: (role: InputRole) => Feed): Record<string, Feed> =>
  Object.fromEntries(graph.inputs.map((input) => [input.name, give(inputRole(input.name))]));

export type OutputRole =
  | { readonly role: 'resid' | 'logits' | 'probe'; readonly name: string }
  | { readonly role: 'carry'; readonly name: string }
  | { readonly role: 'state'; readonly block: number; readonly state: string };

export function outputRole(name: string): OutputRole {
  if (name === 'resid.next') return { role: 'resid', name: 'resid' };
  if (name === 'logits') return { role: 'logits', name };
  if (name.startsWith('carry.')) return { role: 'carry', name };
  const state = NEW_STATE.exec(name);
  return state ? { role: 'state', block: Number(state[1]), state: state[2] as string } : { role: 'probe', name };
}

export const sinksOf = (graph: Graph, take: (role: OutputRole) => readonly Sink[]): Record<string, readonly Sink[]> =>
  Object.fromEntries(
    [...graph.outputs.keys()].map((name) => [name, take(outputRole(name))] as const).filter(([, sinks]) => sinks.length > 0),
  );
