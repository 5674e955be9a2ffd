import type { Evidence } from './evidence.js';
import { mlpAt } from './feedForward.js';
import type { Recognised } from './known.js';
import { GATED, ROUTERS } from './names.js';
import { agree, type Rule } from './shapes.js';
import type { Mixture } from './spec.js';

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
