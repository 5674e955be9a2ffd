import type { ClassScore, Match, OutputValue, RunOutputs } from '../protocol/passes.js';
import type { RunId } from '../protocol/runs.js';
import { floatsOf, type HostTensor } from '../runtime/elements.js';
import type { Pass, Tensors } from '../runtime/forward.js';
import { topK } from '../runtime/sampler.js';
import { logSumExp, norm } from '../tensor/reduce.js';
import type { LabForward } from './models.js';

/** Values of one output that travel with it. */
const SHOWN = 4096;
const CLASSES = 10;

/** A pass together with one through the other tower. */
interface Meeting {
  readonly run: RunId;
  readonly title: string;
  readonly pass: Pass;
}

/** The name of a class, as config.json has it. */
export function labelsOf({ checkpoint }: LabForward): (index: number) => string {
  const labels = checkpoint.config?.id2label as Readonly<Record<string, unknown>> | undefined;
  return (index) => (typeof labels?.[index] === 'string' ? labels[index] : `class ${index}`);
}

/** What a pass said, and how it fits the passes it meets. */
export async function outputsOf(
  model: LabForward,
  { tower, outputs, meets }: { readonly tower: string | null; readonly outputs: Tensors; readonly meets: readonly Meeting[] },
  signal: AbortSignal,
): Promise<RunOutputs> {
  const { pairs = null } = model.forward;
  const logits = outputs.get('logits');
  return {
    outputs: [...outputs].map(([name, tensor]) => outputValue(name, tensor)),
    classes: logits?.dims.length === 1 ? classesOf(floatsOf(logits), labelsOf(model)) : null,
    matches: pairs && (await matchesOf(meets, pairs, signal)),
    pairs,
    other: tower && (model.info.layers.find((layer) => layer.tower !== tower)?.tower ?? null),
  };
}

function outputValue(name: string, tensor: HostTensor): OutputValue {
  const all = floatsOf(tensor);
  const values = all.slice(0, SHOWN);
  return { name, shape: tensor.dims, values: { shape: [values.length], data: values }, norm: norm(all) };
}

function classesOf(logits: Float32Array, label: (index: number) => string): ClassScore[] {
  const total = logSumExp(logits);
  return topK(logits, Math.min(CLASSES, logits.length)).map((index) => {
    const logit = logits[index] as number;
    return { index, label: label(index), logit, probability: Math.exp(logit - total) };
  });
}

async function matchesOf(meets: readonly Meeting[], pairs: 'softmax' | 'sigmoid', signal: AbortSignal): Promise<Match[]> {
  const scored: Omit<Match, 'probability'>[] = [];
  for (const { run, title, pass } of meets) {
    const said = await pass.read(['logits_per_image', 'image_embeds', 'text_embeds'], signal);
    const [logits, image, text] = ['logits_per_image', 'image_embeds', 'text_embeds'].map((name) =>
      floatsOf(said.get(name) as HostTensor),
    ) as [Float32Array, Float32Array, Float32Array];
    const cosine = image.reduce((sum, x, i) => sum + x * (text[i] as number), 0);
    scored.push({ run, title, cosine, logit: logits[0] as number });
  }
  const total = scored.length === 0 ? 0 : logSumExp(Float32Array.from(scored, ({ logit }) => logit));
  return scored
    .map((match) => ({
      ...match,
      probability: pairs === 'softmax' ? Math.exp(match.logit - total) : 1 / (1 + Math.exp(-match.logit)),
    }))
    .sort((a, b) => b.logit - a.logit);
}
