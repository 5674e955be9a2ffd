import { create } from '@bufbuild/protobuf';
import { type NodeProto, TensorProto_DataType, type ValueInfoProto, ValueInfoProtoSchema } from '../onnx_pb.js';
import { ints, nodeOf } from './attributes.js';
import type { OnnxDocument } from './document.js';
import type { StepValue } from './sites.js';

/** What sites build their nodes of. */

export const made = (node: NodeProto, what: string): string => `${node.output.find((name) => name !== '')}/${what}`;
export const steps = (value: string): StepValue => ({ value, layout: 'steps', heads: null });
export const given = (value: string | undefined): string | null => (value === undefined || value === '' ? null : value);

/** Since version 13 the axes are an input. */
export const unsqueeze = (document: OnnxDocument, from: string, axis: number, to: string): NodeProto[] =>
  document.opset() < 13
    ? [nodeOf('Unsqueeze', [from], [to], [ints('axes', [axis])])]
    : [nodeOf('Constant', [], [`${to}.axes`], [ints('value_ints', [axis])]), nodeOf('Unsqueeze', [from, `${to}.axes`], [to])];

export const floats = (name: string): ValueInfoProto =>
  create(ValueInfoProtoSchema, {
    name,
    type: { value: { case: 'tensorType', value: { elemType: TensorProto_DataType.FLOAT } } },
  });
