import type { Concept } from '../concept.js';
import { papers } from './papers.js';

const probe = (name: string, title: string, what: string, more: Partial<Concept> = {}): Concept => ({
  kind: 'probe',
  names: [name],
  title,
  what,
  ...(name.startsWith('state.') ? { states: [name.slice('state.'.length)] } : { probes: [name] }),
  ...more,
});

/** Probes and states by name, as DESIGN and TransformerLens name them (without `hook_`). */
export const probes: readonly Concept[] = [
  probe('embed', 'Embedding', 'What the residual stream holds before the first block: [T, D].'),
  probe(
    'resid_pre',
    'Residual before the block',
    'What enters the block: the embedding plus everything earlier blocks wrote. Model Lab keeps it for every block and recomputes any other probe from it: [T, D].',
  ),
  probe(
    'resid_mid',
    'Residual after attention',
    'Between the two sublayers: `resid_pre` plus what attention (or time mixing) wrote: [T, D].',
  ),
  probe(
    'resid_post',
    'Residual after the block',
    'What leaves the block. That of the last block is before the final norm: [T, D].',
  ),
  probe('ln1', 'Normed input of attention', 'The residual as attention, Mamba’s mixer or time mixing reads it: [T, D].', {
    paper: papers.preLn,
  }),
  probe('ln2', 'Normed input of the MLP', 'The residual as the MLP or channel mixing reads it: [T, D].', { paper: papers.preLn }),
  probe('ln_final', 'Final normed residual', 'What the unembedding reads: [T, D].'),
  probe(
    'logits',
    'Logits',
    'One score a vocabulary entry and position; their softmax is the prediction of the next token: [T, V].',
  ),
  probe('attn.q', 'Queries', 'Before RoPE, after the query norm where there is one: [T, H, E].', { paper: papers.transformer }),
  probe('attn.k', 'Keys', 'Before RoPE: [T, K, E]. The cache holds them after it.', { paper: papers.transformer }),
  probe('attn.rot_q', 'Queries after RoPE', 'As they meet the keys: [T, H, E].', { paper: papers.rope }),
  probe('attn.rot_k', 'Keys after RoPE', 'As they are cached: [T, K, E].', { paper: papers.rope }),
  probe('attn.v', 'Values', 'What is carried away from each token: [T, K, E].', { paper: papers.transformer }),
  probe('attn.scores', 'Attention scores', 'Scaled and masked q·k, before the softmax: [H, T, S].', {
    formula: 'scores = q Kᵀ / √E + mask',
  }),
  probe(
    'attn.pattern',
    'Attention pattern',
    'What each query attends to; rows sum to 1: [H, T, S]. Induction heads show a stripe one after an earlier copy.',
    { formula: 'pattern = softmax(scores)', paper: papers.induction },
  ),
  probe('attn.z', 'Heads’ outputs', 'The weighted mean of the values, head by head, before the output projection: [T, H, E].', {
    formula: 'z_h = pattern_h V',
  }),
  probe('attn.out', 'What attention writes', 'The sum over heads, as it is added to the residual: [T, D].', {
    formula: 'out = Σ_h W_O,h z_h',
  }),
  probe('attn.c_kv', 'Latent of MLA', 'The compressed vector that is cached instead of keys and values: [T, R].', {
    paper: papers.deepseek2,
  }),
  probe('attn.k_pe', 'Rotary key of MLA', 'The part of the key that carries position, shared by all heads.', {
    paper: papers.deepseek2,
  }),
  probe(
    'attn.latent_q',
    'Queries in the latent of MLA',
    'Each head’s query with the key projection folded in, and its rotary part: its product with `attn.latent_k` is that of q and k: [H, T, R + E_rope].',
    { paper: papers.deepseek2 },
  ),
  probe(
    'attn.latent_k',
    'Key in the latent of MLA',
    '`attn.c_kv` and `attn.k_pe` side by side, read by all heads: [1, T, R + E_rope].',
    {
      paper: papers.deepseek2,
    },
  ),
  probe('attn.sinks', 'Attention sinks', 'A learned score a head that takes a part of the weight and gives nothing: [1, H].'),
  probe('mlp.pre', 'Neurons before the activation', 'In gated MLPs the gate’s input: [T, F].', { paper: papers.glu }),
  probe('mlp.post', 'Neurons', 'After the activation, times the up projection where the MLP is gated: [T, F].', {
    paper: papers.glu,
  }),
  probe('mlp.out', 'What the MLP writes', 'As it is added to the residual: [T, D].'),
  probe('router.logits', 'Router’s scores', 'One score an expert and token.', { paper: papers.sparseMoe }),
  probe('router.topk', 'Chosen experts', 'Ids of the k experts each token goes to, best first: [T, k].', {
    paper: papers.sparseMoe,
  }),
  probe('router.weights', 'Weights of the chosen experts', 'In the order of `router.topk`: [T, k].', { paper: papers.sparseMoe }),
  probe('experts.out', 'What the chosen experts say', 'Each one’s output before it is weighted: [T, k, D].', {
    formula: 'mlp.out = Σ_k weight_k · experts.out_k (+ mlp.shared)',
    paper: papers.sparseMoe,
  }),
  probe('mlp.shared', 'What the shared expert says', 'The expert that every token goes to, beside the chosen ones: [T, D].', {
    paper: papers.deepseekMoe,
  }),
  probe('mixer.conv', 'After the convolution', 'Inner channels as the scan reads them: [T, d_inner].', { paper: papers.mamba }),
  probe(
    'mixer.delta',
    'Step size Δ',
    'How far each channel moves at this token: large writes and forgets, small keeps: [T, d_inner].',
    { formula: 'Δ = softplus(W_dt δ + b_dt)', paper: papers.mamba },
  ),
  probe('mixer.B', 'Input direction B', 'Where in the state this token writes: [T, N].', { paper: papers.mamba }),
  probe('mixer.C', 'Output direction C', 'Which direction of the state this token reads: [T, N].', { paper: papers.mamba }),
  probe('mixer.decay', 'Decay', 'The factor the state is multiplied by, 0 to 1: [T, d_inner, N].', {
    formula: 'exp(Δ A)',
    paper: papers.mamba,
  }),
  probe('mixer.write', 'Write', 'What this token adds to the state: [T, d_inner, N].', {
    formula: 'Δ u ⊗ B',
    paper: papers.mamba,
  }),
  probe('mixer.skip', 'Skip', 'What passes the state by.', { formula: 'D ⊙ u', paper: papers.mamba }),
  probe('mixer.y', 'Scan’s output', 'What is read from the state, with the skip, before the gate: [T, d_inner].', {
    formula: 'y = C·h + D ⊙ u',
    paper: papers.mamba,
  }),
  probe('mixer.gate', 'Gate', 'Multiplies the scan’s output: [T, d_inner].', { formula: 'silu(z)', paper: papers.mamba }),
  probe('mixer.out', 'What the mixer writes', 'As it is added to the residual: [T, D].', { paper: papers.mamba }),
  probe('time_mix.r', 'Receptance', 'What the token reads from the state: [T, H, E].', { paper: papers.rwkv7 }),
  probe(
    'time_mix.w',
    'Decay',
    'Factor of each key channel of the state at this token: [T, H, E]; between 0.545 and 1 in RWKV-7.',
    { formula: 'w = exp(−e^{−1/2} σ(·))', paper: papers.rwkv7 },
  ),
  probe('time_mix.k', 'Key', 'Under which the value is written, scaled by the learning rate: [T, H, E].', {
    paper: papers.rwkv7,
  }),
  probe('time_mix.v', 'Value', 'What is written, with the first layer’s value mixed in: [T, H, E].', { paper: papers.rwkv7 }),
  probe('time_mix.a', 'In-context learning rate', 'How much of the old value is taken out, channel by channel: [T, H, E].', {
    paper: papers.rwkv7,
  }),
  probe('time_mix.g', 'Output gate', 'Multiplies what was read: [T, D].', { paper: papers.rwkv7 }),
  probe('time_mix.kappa', 'Removal key κ̂', 'The unit vector along which the state forgets: [T, H, E].', { paper: papers.rwkv7 }),
  probe('time_mix.removal', 'Removal', 'What this token takes out of the state.', {
    formula: '(S κ̂)(a ⊙ κ̂)ᵀ',
    paper: papers.rwkv7,
  }),
  probe('time_mix.y', 'Reading of the state', 'Before norm, bonus and gate: [T, H, E].', {
    formula: 'y = S r',
    paper: papers.rwkv7,
  }),
  probe('time_mix.out', 'What time mixing writes', 'As it is added to the residual: [T, D].', { paper: papers.rwkv7 }),
  probe('channel_mix.k', 'Neurons of channel mixing', 'Squared ReLU of the key: [T, F].', { paper: papers.primer }),
  probe('channel_mix.out', 'What channel mixing writes', 'As it is added to the residual: [T, D].', { paper: papers.rwkv7 }),
  probe('state.k', 'Key cache', 'Keys after RoPE of the positions kept: [K, S, E].', { paper: papers.mqa }),
  probe('state.v', 'Value cache', 'Values of the positions kept: [K, S, E].', { paper: papers.mqa }),
  probe('state.c_kv', 'Latent cache', 'Compressed keys and values of multi-head latent attention: [S, R].', {
    paper: papers.deepseek2,
  }),
  probe('state.k_pe', 'Rotary key cache', 'The rotary part of the keys, shared by all heads: [S, E_rope].', {
    paper: papers.deepseek2,
  }),
  probe('state.conv', 'Convolution state', 'The last inputs of the causal convolution: [d_inner, d_conv], after every token.', {
    paper: papers.mamba,
  }),
  probe('state.ssm', 'SSM state h', 'All that a Mamba layer remembers: [d_inner, N], after every token.', {
    formula: 'h_t = exp(Δ A) ⊙ h_{t−1} + Δ u ⊗ B',
    paper: papers.mamba,
  }),
  probe('state.wkv', 'WKV state S', 'All that an RWKV layer remembers: [H, E_value, E_key], after every token.', {
    formula: 'S_t = S_{t−1} diag(w) − (S_{t−1} κ̂)(a ⊙ κ̂)ᵀ + v kᵀ',
    paper: papers.rwkv7,
  }),
  probe('state.att_shift', 'Shift state of time mixing', 'The token before, as time mixing saw it: [D].', {
    paper: papers.rwkv4,
  }),
  probe('state.ffn_shift', 'Shift state of channel mixing', 'The token before, as channel mixing saw it: [D].', {
    paper: papers.rwkv4,
  }),
];
