import type { NodeProto } from '../onnx_pb.js';
import { intOf } from './attributes.js';
import type { OnnxDocument } from './document.js';
import { linearAttention } from './linearAttention.js';
import { made, steps } from './parts.js';
import { recurrentOperator } from './recurrentOperator.js';
import type { RecurrentSite } from './sites.js';

/** Every recurrence of the graph, in order: recurrent operators, linear attention, and loops that pass something on from step to step. */
export function recurrentSites(document: OnnxDocument): RecurrentSite[] {
  return document.graph.node.flatMap((node, index) => {
    const domain = node.domain === 'ai.onnx' ? '' : node.domain;
    const site = operators[`${domain}.${node.opType}`] ?? (node.opType === 'LinearAttention' ? linearAttention : undefined);
    return site?.(document, node, index) ?? [];
  });
}

type Recurrent = (document: OnnxDocument, node: NodeProto, index: number) => RecurrentSite | null;

const operators: Readonly<Record<string, Recurrent>> = {
  '.LSTM': (document, node, index) => recurrentOperator(document, node, index, 'lstm'),
  '.GRU': (document, node, index) => recurrentOperator(document, node, index, 'gru'),
  '.RNN': (document, node, index) => recurrentOperator(document, node, index, 'rnn'),
  '.Scan': (_, node, index) => loop(node, index, node.input.length - intOf(node, 'num_scan_inputs', 0), 0),
  // a Loop's body also has the number of the step and the condition, and returns the condition
  '.Loop': (_, node, index) => loop(node, index, node.input.length - 2, 1),
};

/** What a loop passes on, returned once more for every step (lift.ts). */
function loop(node: NodeProto, index: number, count: number, first: number): RecurrentSite | null {
  const graph = node.attribute.find(({ name }) => name === 'body')?.g;
  if (!graph || count < 1) return null;
  const own = new Set(graph.node.flatMap(({ output }) => output));
  const passed = graph.output.slice(first, first + count).map(({ name }) => name);
  const found = passed.flatMap((name, i) =>
    own.has(name) ? [[stateName(name, i, passed), steps(made(node, `body/${name}`))] as const] : [],
  );
  return found.length === 0
    ? null
    : { node: index, op: node.opType, mixer: 'loop', states: Object.fromEntries(found), probes: {}, added: [] };
}

/** A short name of letters; a number where that would not be one. */
function stateName(name: string, index: number, all: readonly string[]): string {
  const short = (value: string) =>
    /([A-Za-z]\w*?)(?:_(?:out|next|new)|_output_0)?$/.exec(value.split(/[/.]/).at(-1) ?? '')?.[1] ?? '';
  const own = short(name);
  return own === '' || all.filter((other) => short(other) === own).length > 1 ? `s${index}` : own;
}
