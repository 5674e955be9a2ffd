import { keepsText, rowsKept } from '../protocol/keeps.js';
import type { TensorSummary } from '../protocol/models.js';
import type { Concept } from './concept.js';
import type { ActiveContext } from './context.js';
import { bytesText, codeSpan, numberText, plain, shapeText } from './markdown.js';
import type { NamedConcept } from './nameAt.js';

/** A hover must not wait for a run: what takes longer than this is left out, and said to be. */
const TIME_LIMIT_MS = 300;
const TABLES = ['rope_parameters', 'rope_scaling', 'text_config'];

/** The value of a concept in the active model and run, in lines of Markdown. Empty when nothing is active or it has none. */
export async function liveValue(
  { concept, path }: Pick<NamedConcept, 'concept' | 'path'>,
  context: ActiveContext,
): Promise<readonly string[]> {
  const { model } = context;
  if (!model) return [];
  const layer = Math.min(layerIn(path) ?? context.layer, model.layers.length - 1);
  const lines = [
    ...configLines(concept, path, context),
    ...tensorLines(concept, path, context.tensors),
    ...stateLines(concept, layer, context),
    ...(await probeLines(concept, layer, context)),
  ];
  return lines.length === 0
    ? []
    : [`**${plain(model.name)}** · ${model.family} · ${model.dtype}`, '', ...lines.map((line) => `- ${line}`)];
}

function layerIn(path: string): number | null {
  const match = /(?:^|\.)(?:blocks|layers|h|blk)\.(\d+)\./.exec(path);
  return match ? Number(match[1]) : null;
}

function configLines(concept: Concept, path: string, { config }: ActiveContext): readonly string[] {
  if (!config || (concept.kind !== 'config' && concept.kind !== 'generation')) return [];
  const tables = [config, ...TABLES.map((key) => config[key]).filter((value) => typeof value === 'object' && value !== null)];
  // The spelling under the cursor first: several keys share a concept.
  for (const name of [path, ...concept.names]) {
    const holder = tables.find((each) => name in (each as object)) as Record<string, unknown> | undefined;
    if (holder && holder[name] !== null) return [`${codeSpan(name)} = ${codeSpan(abbreviated(holder[name]))}`];
  }
  return [];
}

const abbreviated = (value: unknown): string => {
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
};

/** The tensor whose name is in the code, or the first block’s of those with such a part, and how many there are. */
function tensorLines(concept: Concept, path: string, tensors: readonly TensorSummary[]): readonly string[] {
  if (concept.kind !== 'module' && concept.kind !== 'part') return [];
  const exact = tensors.find(({ name }) => name === path || name === `${path}.weight`);
  if (exact) return [tensorText(exact)];
  const last = path.split('.').at(-1) as string;
  const spellings = path.includes('.') ? concept.names : [last, ...concept.names];
  for (const spelling of spellings) {
    const found = tensors.filter(({ name }) => name.split('.').includes(spelling));
    const [first] = found;
    if (!first) continue;
    const all = `${found.length} such tensors, ${bytesText(found.reduce((sum, { bytes }) => sum + bytes, 0))} together`;
    return [tensorText(first), ...(found.length > 1 ? [all] : [])];
  }
  return [];
}

const tensorText = ({ name, shape, dtype, bytes }: TensorSummary): string =>
  `${codeSpan(name)} ${shapeText(shape)} ${dtype}, ${bytesText(bytes)}`;

function stateLines(concept: Concept, layer: number, { model, run }: ActiveContext): readonly string[] {
  const declared = model?.layers[layer]?.state ?? [];
  return declared
    .filter(({ name }) => concept.states?.includes(name))
    .map(({ name, shape, bytesFixed, bytesPerToken, keeps }) => {
      const grows = bytesPerToken > 0;
      const unit = typeof keeps === 'object' && keeps && 'block' in keeps ? 'row' : 'token';
      const kept = run ? rowsKept(keeps, run.tokens) : 0;
      const now = grows && run ? `; ${bytesText(bytesFixed + bytesPerToken * kept)} at ${kept} ${unit}s kept` : '';
      const size = grows
        ? `${bytesText(bytesPerToken)} a ${unit}${keeps === null ? '' : `, ${keepsText(keeps)}`}`
        : bytesText(bytesFixed);
      return `state \`blocks.${layer}.state.${name}\` ${shapeText(shape)}, ${size}${now}`;
    });
}

async function probeLines(concept: Concept, layer: number, context: ActiveContext): Promise<readonly string[]> {
  const { model, run } = context;
  if (!model || !run) return [];
  const names = [...(concept.probes ?? []), ...(concept.states ?? []).map((name) => `state.${name}`)];
  const wanted = names.flatMap((name) => fullName(name, layer, context) ?? []).slice(0, 2);
  return Promise.all(wanted.map((name) => probeLine(name, context)));
}

/** The name with its block when it has one; null when this block has no such probe. */
function fullName(name: string, layer: number, { model }: ActiveContext): string | null {
  if (model?.probes.includes(name)) return name;
  const isState = name.startsWith('state.');
  const has = isState
    ? model?.layers[layer]?.state.some((state) => `state.${state.name}` === name)
    : model?.probes.some((probe) => probe === `blocks.i.${name}` || probe === `blocks.${layer}.${name}`);
  return has ? `blocks.${layer}.${name}` : null;
}

async function probeLine(name: string, context: ActiveContext): Promise<string> {
  const giveUp = new AbortController();
  const late = Symbol('late');
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<typeof late>((resolve) => {
    timer = setTimeout(() => {
      resolve(late);
      giveUp.abort();
    }, TIME_LIMIT_MS);
  });
  try {
    const reading = await Promise.race([context.readProbe(name, giveUp.signal), limit]);
    if (reading === late) return `${codeSpan(name)}: not read, the model is busy`;
    if (reading === null) return `${codeSpan(name)}: not in this run`;
    const { shape, dtype, bytes, norm } = reading;
    return `${codeSpan(name)} ${shapeText(shape)} ${dtype}, ${bytesText(bytes)}, norm ${numberText(norm)} in the active run`;
  } catch (error) {
    return `${codeSpan(name)}: ${plain((error as Error).message)}`;
  } finally {
    clearTimeout(timer);
  }
}
