import { activationNames } from '../../graph/blocks/mlp.js';
import type { Evidence } from './evidence.js';
import { isGguf } from './ggufKnown.js';
import type { Recognised } from './known.js';
import { ARRANGEMENTS, FINAL_NORMS, FUSED_GATES, GATED, mlpPaths, type Norms, namesOf, PLAIN, ROUTERS } from './names.js';
import { agree, type Rule } from './shapes.js';
import { type Draft, type Mixture, type Mlp, XIELU } from './spec.js';

const without = (name: string): string => name.slice(0, name.lastIndexOf('.') + 1);

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

/** The MLP below one of the usual paths, or below the one given. */
function mlpAt(e: Evidence, path: string | null): Mlp | null {
  const find = (name: string) => e.inBlock(path === null ? mlpPaths(name) : [`${path}${name}.weight`]);
  for (const { gate, up, down } of GATED) {
    const found = find(gate);
    if (found && e.inBlock([`${without(found.name.slice(0, -7))}${up}.weight`]))
      return { kind: 'gated', path: without(found.name.slice(0, -7)), gate, up, down };
  }
  for (const { gateUp, down } of [...FUSED_GATES, { gateUp: 'input_linear', down: 'output_linear' }]) {
    const found = find(gateUp);
    if (found?.shape.length === 2) return { kind: 'fused', path: without(found.name.slice(0, -7)), gateUp, down };
  }
  for (const { up, down } of PLAIN) {
    const found = find(up);
    if (found) return { kind: 'plain', path: without(found.name.slice(0, -7)), up, down };
  }
  return null;
}

export const feedForward: Rule = (e, draft) => {
  draft.mlp = mlpAt(e, null);
  const router = e.inBlock(ROUTERS);
  if (!draft.mlp && !router) return e.problem('no MLP in a block (gate_proj, w1, up_proj, fc1, c_fc …)');
  if (!draft.mlp) return;
  const { kind, path } = draft.mlp;
  const [first, words] =
    draft.mlp.kind === 'gated'
      ? [draft.mlp.gate, 'a gated MLP']
      : draft.mlp.kind === 'fused'
        ? [draft.mlp.gateUp, 'a gated MLP, gate and up in one matrix']
        : [draft.mlp.up, 'an MLP without a gate'];
  const shape = e.inBlock([`${path}${first}.weight`])?.shape as readonly number[];
  const F = (shape[draft.turned ? 1 : 0] as number) / (kind === 'fused' ? 2 : 1);
  if (!router)
    agree(
      e,
      ['intermediate_size', 'ffn_dim', 'n_inner', 'ffn_hidden_size'],
      F,
      `${path}${first}.weight is [${shape.join(', ')}]`,
    );
  e.say(`${words} of ${F} neurons`, `${path}${first}.weight is [${shape.join(', ')}]`);
  if (kind === 'fused') e.assume('the gate comes first in it', 'every known model has it so');
};

const TANH = 'gelu_pytorch_tanh';

/** A GGUF never says it. */
function assumedAct(e: Evidence, { mlp, mixture }: Draft): string {
  const gated = mixture || mlp?.kind !== 'plain';
  const [usual, other] = gated ? ['silu', TANH] : [TANH, 'relu2'];
  const because = `most ${gated ? 'gates are' : 'MLPs without a gate have'}; a GGUF does not say it`;
  e.assume(`the activation is ${usual}`, because, { key: 'hidden_act', value: other });
  return usual;
}

export const act: Rule = (e, draft, { offset, act: own, tanhGelu, because }) => {
  // Gemma's newer key; where both stand, versions of its code have read the one or the other
  const newer = e.value('hidden_activation');
  const older = e.value('hidden_act', 'activation_function', 'activation', 'hidden_activation_function');
  if (newer && older && newer.value !== older.value && !(older.value === 'gelu' && newer.value === TANH))
    return e.problem(`hidden_activation is ${JSON.stringify(newer.value)}, but ${older.key} is ${JSON.stringify(older.value)}`);
  const told = newer ?? older;
  if (!told && own !== undefined) {
    draft.act = own;
    return e.say(own, because);
  }
  if (!told && isGguf(e)) {
    draft.act = assumedAct(e, draft);
    return;
  }
  if (!told) return e.problem('no hidden_act: the activation cannot be told');
  const name = told.value;
  if (
    name === XIELU &&
    draft.mlp &&
    !draft.mixture &&
    ['alpha_p', 'alpha_n'].every((part) => e.inBlock([`${draft.mlp?.path}act_fn.${part}`]))
  ) {
    draft.act = XIELU;
    return e.say('xIELU with two weights a block', `${told.key}, ${draft.mlp.path}act_fn.alpha_p`);
  }
  if (typeof name !== 'string' || !activationNames.includes(name))
    return e.problem(`${told.key} is ${JSON.stringify(name)}, which is none of ${activationNames.join(', ')}`);
  const meant = tanhGelu && name === 'gelu' ? TANH : name;
  draft.act = meant;
  e.say(meant, meant === name ? told.key : `${told.key} is gelu, and ${because}`);
  const gemma = /^gelu(_pytorch_tanh|_new)?$/.test(name) && draft.mlp?.kind !== 'plain' && draft.norm?.kind === 'rms';
  if (gemma && offset === undefined)
    e.problem(
      `RMSNorm and a gate of ${name} are Gemma’s, whose norms store their gain minus one; whether these do cannot be told${e.tensors.values ? '' : ' without reading them'}`,
    );
};

type Weights = Mixture['weights'];

/** Tensors for every expert, or two for all of them. */
function expertWeights(e: Evidence, path: string): { weights: Weights; size: number; shape: string } | null {
  for (const { gate, up, down } of GATED) {
    const found = e.inBlock([`${path}experts.0.${gate}.weight`]);
    if (found) return { weights: { kind: 'each', gate, up, down }, size: found.shape[0] as number, shape: found.name };
    const [all, ...others] = [gate, up, down].map((part) => e.inBlock([`${path}experts.${part}.weight`]));
    if (all?.shape.length !== 3 || !others.every((other) => other?.shape.length === 3)) continue;
    const names = { gate, up, down };
    const under = Object.fromEntries(Object.entries(names).map(([part, own]) => [part, `experts.${own}.weight`])) as typeof names;
    return { weights: { kind: 'stacked', ...under }, size: all.shape[1] as number, shape: all.name };
  }
  for (const [gateUp, down] of [
    ['experts.gate_up_proj', 'experts.down_proj'],
    ['input_linear.weight', 'output_linear.weight'],
  ] as const) {
    const found = e.inBlock([path + gateUp]);
    if (found?.shape.length === 3)
      return { weights: { kind: 'gateUp', gateUp, down }, size: (found.shape[1] as number) / 2, shape: found.name };
  }
  return null;
}

const SHARED = ['shared_expert.', 'shared_experts.', 'shared_mlp.'];

function sharedExpert(e: Evidence, path: string): Mixture['shared'] {
  for (const at of [path, '']) {
    for (const name of SHARED) {
      const mlp = mlpAt(e, at + name);
      if (!mlp) continue;
      const gate = e.inBlock([`${path}shared_expert_gate.weight`]) ? `${path}shared_expert_gate` : null;
      e.say(`an expert for every token${gate ? ', gated' : ''}`, `${at}${name.slice(0, -1)}`);
      return { mlp, gate };
    }
  }
  return null;
}

const BIASES = ['gate.e_score_correction_bias', 'e_score_correction_bias', 'expert_bias'];

/** Softmax, or DeepSeek-V3's sigmoid with a bias that steers only the choice. */
function routing(
  e: Evidence,
  path: string,
  chosenOnly: boolean,
  known: Recognised,
): Pick<Mixture, 'scores' | 'bias' | 'normalise' | 'scale' | 'groups'> | null {
  const bias = BIASES.find((name) => e.inBlock([path + name])) ?? null;
  const told = e.value('scoring_func', 'score_func', 'router_score_func')?.value ?? null;
  const scores = told === 'sigmoid' || (told === null && bias !== null) ? 'sigmoid' : 'softmax';
  if (told !== null && told !== 'sigmoid' && told !== 'softmax') e.problem(`scoring_func is ${JSON.stringify(told)}`);
  if (bias !== null && scores === 'softmax') e.problem(`${path}${bias}, but scores are a softmax`);
  const share = e.flag('norm_topk_prob') ?? known.normalisesExperts ?? null;
  if (share === null && !chosenOnly && scores === 'softmax') {
    e.problem('no norm_topk_prob: whether the weights of the chosen experts are divided by their sum cannot be told');
    return null;
  }
  const [count, kept] = [e.number('n_group')?.value ?? 1, e.number('topk_group')?.value ?? 1];
  const groups = count > 1 && kept < count ? { count, kept, best: scores === 'sigmoid' ? 2 : 1 } : null;
  const how = bias ? `sigmoid scores, ${bias} steers the choice` : scores;
  e.say(
    `experts by ${how}${(share ?? true) ? ', weights that sum to 1' : ''}`,
    bias ? path + bias : share === null ? 'the names of the experts are Mixtral’s or Granite’s' : 'norm_topk_prob',
  );
  return { scores, bias, normalise: share ?? true, scale: e.number('routed_scaling_factor')?.value ?? 1, groups };
}

export const experts: Rule = (e, draft, known) => {
  draft.mixture = null;
  const router = e.inBlock(ROUTERS);
  if (!router) return;
  const path = ['block_sparse_moe.', 'mlp.', 'feed_forward.', 'ffn.', ''].find((p) => router.name.startsWith(p)) ?? '';
  const found = expertWeights(e, path);
  if (!found) return e.problem(`${router.name}, but no experts that are known by their names`);
  const count = router.shape[0] as number;
  const perToken = e.number('num_experts_per_tok', 'num_experts_per_token', 'moe_topk', 'top_k_experts', 'moe_k')?.value;
  if (!perToken) return e.problem('no num_experts_per_tok: how many experts a token goes to cannot be told');
  e.say(`${count} experts of ${found.size} neurons, ${perToken} a token`, `${router.name} has ${count} rows, ${found.shape}`);
  agree(
    e,
    ['num_experts', 'num_local_experts', 'n_routed_experts', 'moe_num_experts'],
    count,
    `${router.name} has ${count} rows`,
  );
  const { weights } = found;
  const chosenOnly = path === 'block_sparse_moe.' || (weights.kind === 'gateUp' && weights.gateUp.startsWith('input_linear'));
  const how = routing(e, path, chosenOnly, known);
  if (!how) return;
  const name = router.name.slice(path.length).replace(/\.weight$/, '');
  draft.mixture = {
    path,
    router: name,
    experts: count,
    perToken,
    size: found.size,
    weights,
    ...how,
    shared: sharedExpert(e, path),
  };
};
