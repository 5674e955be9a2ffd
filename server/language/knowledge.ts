import type { Concept, ConceptKind } from './concept.js';
import { attentionConfig } from './concepts/attentionConfig.js';
import { attentionModules } from './concepts/attentionModules.js';
import { code } from './concepts/code.js';
import { families } from './concepts/families.js';
import { fastWeights } from './concepts/fastWeights.js';
import { generation } from './concepts/generation.js';
import { megalodon } from './concepts/megalodon.js';
import { probes } from './concepts/probes.js';
import { recurrentConfig } from './concepts/recurrentConfig.js';
import { recurrentModules } from './concepts/recurrentModules.js';
import { sizes } from './concepts/sizes.js';
import { sparseAttention } from './concepts/sparseAttention.js';
import { vision } from './concepts/vision.js';

/** Everything the hovers know. */
export const concepts: readonly Concept[] = [
  ...sizes,
  ...attentionConfig,
  ...recurrentConfig,
  ...attentionModules,
  ...recurrentModules,
  ...code,
  ...generation,
  ...probes,
  ...families,
  ...fastWeights,
  ...megalodon,
  ...sparseAttention,
  ...vision,
];

const byName = new Map<string, Concept>();
for (const concept of concepts) for (const name of concept.names) byName.set(`${concept.kind} ${name}`, concept);

/** The concept of one of these kinds, the first that knows the name. */
export function conceptNamed(name: string, ...kinds: readonly ConceptKind[]): Concept | null {
  for (const kind of kinds) {
    const found = byName.get(`${kind} ${name}`);
    if (found) return found;
  }
  return null;
}

/** What a probe or state is, by its name without `blocks.i.`. */
export function aboutProbe(name: string): { title: string; what: string; formula: string | null } | null {
  const concept = conceptNamed(name, 'probe');
  return concept && { title: concept.title, what: concept.what, formula: concept.formula ?? null };
}
