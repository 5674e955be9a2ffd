import { ROPE_TENSORS } from '../../graph/blocks/rope.js';
import { type BoundArchitecture, buildSegment } from '../../graph/segment.js';
import type { TensorTable } from '../../graph/segmentBuilder.js';
import { LabError, toLabError } from '../../protocol/errors.js';
import { UNNAMED } from '../../protocol/models.js';
import { layers, scales, turning } from './attention.js';
import { inferredDecoder } from './decoder.js';
import { Evidence } from './evidence.js';
import { experts } from './experts.js';
import { act, feedForward } from './feedForward.js';
import { isGguf } from './ggufKnown.js';
import { unreadKeys } from './keys.js';
import { type Recognised, recognise } from './known.js';
import { inferLatent, isLatent } from './latent.js';
import { CARRIED } from './names.js';
import { normKind, norms } from './norms.js';
import { heads, positions, projections, qkNorm, type Rule, sizes, unembedding } from './shapes.js';
import type { Draft, InferredConfig } from './spec.js';

/** In order: each may use what those before it found. */
const rules: readonly Rule[] = [
  sizes,
  positions,
  projections,
  heads,
  qkNorm,
  norms,
  normKind,
  feedForward,
  experts,
  act,
  turning,
  layers,
  scales,
  unembedding,
];

/** So many names of a kind are told. */
const TOLD = 6;

const undecided = (name: string, problems: readonly string[]) =>
  new LabError({
    code: 'ARCHITECTURE_UNKNOWN',
    message: `"${name}" is no family Model Lab knows, and its files do not tell how to run it:\n${problems.map((p) => `• ${p}`).join('\n')}`,
    hint: 'The file can still be inspected. A model_type that is known by name needs none of this.',
  });

/** Tensors of the decoder that the inferred model does not read: it computes something else. */
function unreadTensors(bound: BoundArchitecture, e: Evidence): void {
  const { graph } = buildSegment(bound, { from: 0, to: e.layers, embed: true, head: true });
  const read = new Set([...graph.weights.values()].map(({ tensor }) => tensor));
  const own = (name: string) => (isGguf(e) ? !ROPE_TENSORS.includes(name) : name.startsWith(e.prefix)) && !CARRIED.test(name);
  const left = [...(e.tensors.names?.() ?? [])].filter((name) => own(name) && !read.has(name));
  const kinds = [
    ...new Set(left.map((name) => (name.startsWith(e.prefix) ? name.slice(e.prefix.length) : name).replace(/\.\d+\./g, '.N.'))),
  ];
  const spare = kinds.filter((name) => !/^(?:language_model\.)?lm_head\.|^(?:embed_out|output)\./.test(name)); // a head that is tied
  if (spare.length > 0) {
    const more = spare.length > TOLD ? ` and ${spare.length - TOLD} more` : '';
    e.problem(`tensors that no known part reads: ${spare.slice(0, TOLD).join(', ')}${more}`);
  }
}

type Found = Omit<BoundArchitecture, 'tensors'> | null;

/** A key that is there and wrong is one of the problems. */
function withProblems<T>(e: Evidence, find: () => T): T | null {
  try {
    return find();
  } catch (error) {
    e.problem(toLabError(error).message);
    return null;
  }
}

function inferDecoder(e: Evidence, known: Recognised): Found {
  const draft: Draft = {};
  withProblems(e, () => {
    for (const rule of rules) {
      rule(e, draft, known);
      if (draft.layers === undefined) break; // without blocks there is nothing to find
    }
  });
  if (isGguf(e) && known.because === '')
    e.assume(
      'nothing is computed but what metadata and tensors say: no factors, no norms without weights, norms before RoPE',
      'what else an architecture of llama.cpp does is in its code',
    );
  return { architecture: inferredDecoder(e.blocks), config: draft as InferredConfig, prefix: e.prefix };
}

/**
 * A decoder that nobody knows by name, from what its tensors and config say. Every conclusion is listed with its reason.
 * Errors: ARCHITECTURE_UNKNOWN with all that is missing or contradictory.
 */
export function inferArchitecture(
  raw: Readonly<Record<string, unknown>>,
  names: readonly string[],
  tensors: TensorTable,
): BoundArchitecture {
  const name = names.join(', ').replace(UNNAMED, '') || 'none named';
  const e = new Evidence(raw, tensors, names);
  const known = recognise(e);
  if (known.refused) throw undecided(name, [known.refused]);
  for (const key of known.requires ?? [])
    if (raw[key] === undefined) e.problem(`no ${key}, which has a value of its own here: ${known.because}`);
  const found = isLatent(e) ? withProblems(e, () => inferLatent(e)) : inferDecoder(e, known);
  unreadKeys(e);
  if (!found || e.problems.length > 0) throw undecided(name, e.problems);
  const id = `${(names[0] ?? 'unnamed').replace(UNNAMED, '')} (inferred)`;
  const bound = { ...found, architecture: { ...found.architecture, id, names: [], inferred: e.inferences }, tensors };
  try {
    unreadTensors(bound, e);
  } catch (error) {
    e.problem(toLabError(error).message); // shapes that contradict each other
  }
  if (e.problems.length > 0) throw undecided(name, e.problems);
  return bound;
}
