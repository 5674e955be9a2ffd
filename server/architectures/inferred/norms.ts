import type { Evidence } from './evidence.js';
import { ARRANGEMENTS, FINAL_NORMS, type Norms, namesOf } from './names.js';
import type { Rule } from './shapes.js';
import type { Draft } from './spec.js';

/** Norms of a block: vectors of its width that belong to neither half. */
function blockNorms(e: Evidence, dModel: number): string[] {
  const isNorm = /^[\w]*(?:norm|ln)[\w]*\.weight$/i;
  return e.inner
    .filter((name) => isNorm.test(name) && e.inBlock([name])?.shape.join() === `${dModel}`)
    .map((name) => name.replace(/\.weight$/, ''));
}

/** OLMo's norms have no tensors: only its name says that they are there. */
function weightlessNorms(e: Evidence, draft: Draft, eps: number, because: string): void {
  draft.norms = ARRANGEMENTS[0] as Norms;
  draft.norm = { kind: 'layer', eps, offset: 0, weightless: true };
  draft.finalNorm = 'norm';
  e.say(`LayerNorms without weights before each half, ε ${eps}`, because);
}

export const norms: Rule = (e, draft, { weightless, because }) => {
  const found = blockNorms(e, draft.dModel ?? 0);
  if (weightless !== undefined && found.length === 0) return weightlessNorms(e, draft, weightless, because);
  if (found.length === 0) return e.problem('no norm of a block has a weight');
  const same = (a: readonly string[], b: readonly string[]) => [...a].sort().join() === [...b].sort().join();
  const arrangement = ARRANGEMENTS.find((candidate) => same(namesOf(candidate), found));
  if (!arrangement) return e.problem(`the norms of a block are ${found.join(', ')}: where they stand cannot be told`);
  const side = [e.flag('use_parallel_residual'), e.flag('parallel_attn')].find((flag) => flag !== null) ?? null;
  const two = arrangement.mlp.before !== null && arrangement.mlp.before !== arrangement.attention.before;
  if (e.flag('do_layer_norm_before') === false)
    return e.problem('do_layer_norm_before is false: norms behind each half of OPT are not built');
  const parallel = arrangement.parallel || (side === true && two);
  if (side === false && arrangement.parallel)
    return e.problem(`one norm a block (${found.join(', ')}), but the halves are said not to run side by side`);
  draft.norms = { ...arrangement, parallel };
  e.say(parallel ? 'both halves read the same stream' : arrangement.words, `a block has ${found.join(', ')}`);
};

const EPS = {
  rms: ['rms_norm_eps', 'rms_norm_epsilon'],
  layer: ['layer_norm_eps', 'layer_norm_epsilon', 'norm_epsilon', 'layernorm_epsilon'],
};

/** RMSNorm or LayerNorm: a bias says it, else the name of its ε. */
export const normKind: Rule = (e, draft, { norm, offset = 0, eps: own, because }) => {
  const one = draft.norms && namesOf(draft.norms)[0];
  if (!one || draft.norm) return;
  const bias = e.inBlock([`${one}.bias`]);
  const [rms, layer, either] = [e.number(...EPS.rms), e.number(...EPS.layer), e.number('norm_eps')];
  const kind = norm ?? (bias ? 'layer' : rms ? 'rms' : layer ? 'layer' : null);
  const eps =
    (kind === 'rms' ? rms : layer) ?? either ?? rms ?? layer ?? (own === undefined ? null : { key: because, value: own });
  if (kind === null) return e.problem('neither rms_norm_eps nor layer_norm_eps: RMSNorm or LayerNorm cannot be told');
  const name = { rms: 'RMSNorm', layer: 'LayerNorm' }[kind];
  e.say(`${name}`, norm ? because : bias ? `${bias.name} is there` : `the config has ${(rms ?? layer)?.key}`);
  if (eps) e.say(`ε ${eps.value}`, eps.key);
  else return e.problem('no ε of the norms (rms_norm_eps, layer_norm_eps …)');
  if (offset !== 0) e.say('norms store their gain minus one', because);
  draft.norm = { kind, eps: eps.value, offset };
  const final = e.beside(FINAL_NORMS);
  if (!final) return e.problem(`no final norm (${FINAL_NORMS.slice(0, 3).join(', ')} …)`);
  draft.finalNorm = final.name.replace(/\.weight$/, '');
};
