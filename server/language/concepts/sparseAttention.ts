import { type Concept, probeOf } from '../concept.js';
import { papers } from './papers.js';

const paper = papers.nsa;

const probe = probeOf(paper);

const BRANCHES = { cmp: 'compressed blocks', slc: 'selected blocks', win: 'the window' };

/** NSA: attention in three branches. */
export const sparseAttention: readonly Concept[] = [
  {
    kind: 'family',
    names: ['nsa', 'NSAForCausalLM', 'NSAModel'],
    title: 'NSA',
    what: 'Every query reads in three ways: compressed blocks for the whole, the tokens of a few blocks that these point to, and a window. Learned gates mix them.',
    formula: 'y = Σ_{b ∈ cmp, slc, win} g_b · attention_b',
    paper,
  },
  {
    kind: 'config',
    names: ['block_len', 'block_stride'],
    title: 'Compressed blocks',
    what: 'How many tokens become one compressed key and value, and how far apart such blocks begin. A block is seen once its last token has been read.',
    paper,
    states: ['k_cmp', 'v_cmp'],
    probes: ['attn.cmp.pattern'],
  },
  {
    kind: 'config',
    names: ['select_block', 'num_selected'],
    title: 'Selected blocks',
    what: 'Tokens of a block that is read as a whole, and how many blocks a query reads: the first, the one at hand, and those that matter most by the compressed attention.',
    paper,
    probes: ['attn.importance', 'attn.selected'],
  },
  {
    kind: 'module',
    names: ['phi_k', 'phi_v', 'pe_k', 'pe_v'],
    title: 'Compression φ',
    what: 'Makes one key or value of all rows of a block, each with the place it has in the block added.',
    formula: 'k̃_j = φ(k_{j·stride} + pe_0, …, k_{j·stride+len−1} + pe_{len−1})',
    paper,
    states: ['k_cmp', 'v_cmp', 'conv_k', 'conv_v'],
  },
  probe(
    'attn.gates',
    'Gates of the branches',
    'How much each head takes of each branch, in the order cmp, slc, win: [T, H, 3].',
    'σ(W x + b)',
  ),
  probe(
    'attn.importance',
    'Importance of blocks',
    'What the compressed blocks within each selectable block got, over the heads of a group: [K, T, M].',
    'p_i = Σ_{h, j overlaps i} p_cmp[h, j]',
  ),
  probe('attn.selected', 'Selected blocks', '1 for each block that a query reads whole, 0 for the others: [K, T, M].'),
  ...Object.entries(BRANCHES).flatMap(([branch, name]) => [
    probe(`attn.${branch}.scores`, `Scores of ${name}`, 'Scaled and masked q·k of this branch: [H, T, S].'),
    probe(
      `attn.${branch}.pattern`,
      `Attention to ${name}`,
      branch === 'cmp'
        ? 'Over compressed blocks, one column each; all 0 while no block has ended: [H, T, blocks].'
        : 'What each query attends to in this branch; rows sum to 1: [H, T, S].',
    ),
    probe(`attn.${branch}.z`, `What is read from ${name}`, 'Head by head, before the gates: [T, H, E].'),
    ...(branch === 'cmp'
      ? []
      : [
          probe(`attn.${branch}.k`, `Keys of ${name}`, 'Before RoPE: [K, T, E].'),
          probe(`attn.${branch}.rot_k`, `Keys of ${name} after RoPE`, 'As they are cached: [K, T, E].'),
          probe(`attn.${branch}.v`, `Values of ${name}`, 'What is carried away from each token: [K, T, E].'),
        ]),
    probe(
      `state.k_${branch}`,
      `Key cache of ${name}`,
      branch === 'cmp' ? 'One row a block that has ended: [K, blocks, E].' : 'Of the tokens kept: [K, S, E].',
    ),
    probe(
      `state.v_${branch}`,
      `Value cache of ${name}`,
      branch === 'cmp' ? 'One row a block that has ended: [K, blocks, E].' : 'Of the tokens kept: [K, S, E].',
    ),
  ]),
  probe('state.conv_k', 'Keys on their way into blocks', 'Those of the last tokens, as the compression reads them: [K·E, len].'),
  probe(
    'state.conv_v',
    'Values on their way into blocks',
    'Those of the last tokens, as the compression reads them: [K·E, len].',
  ),
];
