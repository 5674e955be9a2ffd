import { activationNames } from '../../graph/blocks/mlp.js';
import type { Evidence } from './evidence.js';
import { isGguf } from './ggufKnown.js';
import { FUSED_GATES, GATED, mlpPaths, PLAIN, ROUTERS } from './names.js';
import { agree, type Rule } from './shapes.js';
import { type Draft, type Mlp, XIELU } from './spec.js';

const without = (name: string): string => name.slice(0, name.lastIndexOf('.') + 1);

/** The MLP below one of the usual paths, or below the one given. */
export function mlpAt(e: Evidence, path: string | null): Mlp | null {
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
