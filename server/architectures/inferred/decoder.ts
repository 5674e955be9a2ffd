import { type Architecture, defineArchitecture } from '../../graph/architecture.js';
import { type AttentionSpec, attend, attentionState, splitHeads } from '../../graph/blocks/attention.js';
import { activation } from '../../graph/blocks/mlp.js';
import { type Choice, choose, inBestGroups, mixture, normalised } from '../../graph/blocks/moe.js';
import { layerNorm, plainLayerNorm, plainRmsNorm, rmsNorm } from '../../graph/blocks/norm.js';
import type { Value } from '../../graph/ir.js';
import type { SegmentBuilder } from '../../graph/segmentBuilder.js';
import { type InferredConfig, type Mixture, type Mlp, XIELU } from './spec.js';

/** xIELU (Huang & Schlag 2024, arXiv 2411.13010): a parabola above 0, an exponential below, with two weights of the block's own. */
function xielu(g: SegmentBuilder, x: Value): Value {
  const of = (name: string) => g.weight(`act_fn.${name}`, [1]);
  const beta = g.stored('act_fn.beta') === null ? g.constant(0.5) : g.weight('act_fn.beta', []);
  const [above, below] = [g.relu(x), g.min(x, 0)];
  const rising = g.mul(g.mul(above, above), g.softplus(of('alpha_p')));
  const falling = g.mul(g.sub(g.sub(g.exp(below), 1), below), g.add(g.softplus(of('alpha_n')), beta));
  return g.add(g.add(rising, falling), g.mul(x, beta));
}

/** x W + b, stored [out, in] or turned. */
function project(g: SegmentBuilder, c: InferredConfig, x: Value, name: string, out: number): Value {
  if (!c.turned) return g.linear(x, name, out);
  const y = g.matmul(x, g.weight(`${name}.weight`, [x.shape.at(-1) as number, out]));
  return g.has(`${name}.bias`) ? g.add(y, g.weight(`${name}.bias`, [out])) : y;
}

const norm = (g: SegmentBuilder, { norm: { kind, eps, offset, weightless } }: InferredConfig, x: Value, name: string): Value =>
  weightless ? plainLayerNorm(g, x, eps) : kind === 'rms' ? rmsNorm(g, x, name, eps, offset) : layerNorm(g, x, name, eps, offset);

const optional = (g: SegmentBuilder, c: InferredConfig, x: Value, name: string | null): Value =>
  name === null ? x : norm(g, c, x, name);

// attention ──────────────────────────────────────────────────────────────────

type Qkv = readonly [q: Value, k: Value, v: Value];

/** Rows [B,T,n·E] of all heads. */
function rowsOf(g: SegmentBuilder, c: InferredConfig, { heads: H, kvHeads: K, headDim: E }: AttentionSpec, x: Value): Qkv {
  const { projections: p } = c;
  const sizes = [H * E, K * E, K * E];
  if (p.kind === 'separate')
    return [p.q, p.k, p.v].map((name, i) => project(g, c, x, name, sizes[i] as number)) as unknown as Qkv;
  const all = project(g, c, x, p.all, (H + 2 * K) * E);
  if (p.kind === 'stacked') return g.split(all, -1, sizes) as unknown as Qkv;
  const groups = p.kind === 'heads' ? H : K;
  const parts = [H / groups, K / groups, K / groups].map((n) => n * E);
  const byGroup = g.reshape(all, 0, 0, groups, (H / groups + (2 * K) / groups) * E); // [B,T,G,·]
  return g.split(byGroup, -1, parts).map((part, i) => g.reshape(part, 0, 0, sizes[i] as number)) as unknown as Qkv;
}

/** Weights [H,E] of a norm for each head. */
function eachHead(g: SegmentBuilder, c: InferredConfig, name: string, H: number, E: number): Value {
  if (!c.qkNorm?.listed) return g.weight(`${name}.weight`, [H, E]);
  const rows = Array.from({ length: H }, (_, h) => g.reshape(g.weight(`${name}.norms.${h}.weight`, [E]), 1, E));
  return g.concat(rows, 0);
}

/** Of queries or keys [B,H,T,E]. */
function headNorm(g: SegmentBuilder, c: InferredConfig, x: Value, name: string): Value {
  if (c.qkNorm?.over === 'head') return norm(g, c, x, name);
  const [, H, , E] = x.shape as [unknown, number, unknown, number];
  const plain = c.norm.kind === 'rms' ? plainRmsNorm(g, x, c.norm.eps) : plainLayerNorm(g, x, c.norm.eps);
  return g.mul(plain, g.reshape(eachHead(g, c, name, H, E), H, 1, E));
}

function attention(g: SegmentBuilder, c: InferredConfig, spec: AttentionSpec, x: Value): Value {
  const { heads: H, kvHeads: K } = spec;
  const [rows, n] = [rowsOf(g, c, spec, x), c.qkNorm];
  const [q0, k0] = n?.over === 'allHeads' ? [norm(g, c, rows[0], n.q), norm(g, c, rows[1], n.k)] : rows;
  const byHead = n !== null && n.over !== 'allHeads';
  const normed = (y: Value, name: string | undefined) => (byHead && !n.late && name ? headNorm(g, c, y, name) : y);
  const z = attend(g, spec, {
    q: normed(splitHeads(g, q0, H), n?.q),
    k: normed(splitHeads(g, k0, K), n?.k),
    v: splitHeads(g, rows[2], K),
    ...(byHead && n.late && { turned: { q: (y: Value) => headNorm(g, c, y, n.q), k: (y: Value) => headNorm(g, c, y, n.k) } }),
  });
  return g.probe('attn.out', project(g, c, z, c.out, c.dModel)); // [B,T,D]
}

// feed forward ───────────────────────────────────────────────────────────────

/** F, as this block has it. */
const width = (g: SegmentBuilder, c: InferredConfig, name: string): number =>
  (g.stored(`${name}.weight`) ?? [])[c.turned ? 1 : 0] ?? 1;

function feedForward(g: SegmentBuilder, c: InferredConfig, m: Mlp, x: Value, out: 'mlp.out' | 'mlp.shared'): Value {
  return g.within('', m.path, () => {
    const act = (y: Value) => (c.act === XIELU ? xielu(g, y) : activation(c.act)(g, y));
    const down = (post: Value) => g.probe(out, project(g, c, g.probe('mlp.post', post), m.down, c.dModel));
    const pre = (y: Value) => g.probe('mlp.pre', y);
    if (m.kind === 'plain') return down(act(pre(project(g, c, x, m.up, width(g, c, m.up)))));
    if (m.kind === 'gated') {
      const F = width(g, c, m.gate);
      return down(g.mul(act(pre(project(g, c, x, m.gate, F))), project(g, c, x, m.up, F)));
    }
    const F = width(g, c, m.gateUp) / 2;
    const [gate, up] = g.split(project(g, c, x, m.gateUp, 2 * F), -1, [F, F]) as [Value, Value];
    return down(g.mul(act(pre(gate)), up)); // [B,T,D]
  });
}

function expert(g: SegmentBuilder, c: InferredConfig, m: Mixture, e: number, rows: Value): Value {
  const { experts: X, size: F, weights: w } = m;
  const act = activation(c.act);
  if (w.kind === 'each') {
    const of = (name: string, y: Value, size: number) => g.linear(y, `experts.${e}.${name}`, size);
    return of(w.down, g.mul(act(g, of(w.gate, rows, F)), of(w.up, rows, F)), c.dModel);
  }
  if (w.kind === 'stacked') {
    const of = (name: string, y: Value, shape: number[]) => g.matmul(y, g.weightPart(name, e, [X, ...shape]), { transB: true });
    return of(w.down, g.mul(act(g, of(w.gate, rows, [F, c.dModel])), of(w.up, rows, [F, c.dModel])), [c.dModel, F]);
  }
  const both = g.matmul(rows, g.weightPart(w.gateUp, e, [X, 2 * F, c.dModel]), { transB: true });
  const [gate, up] = g.split(both, -1, [F, F]) as [Value, Value];
  return g.matmul(g.mul(act(g, gate), up), g.weightPart(w.down, e, [X, c.dModel, F]), { transB: true });
}

function route(g: SegmentBuilder, m: Mixture, x: Value): Choice {
  const logits = g.probe('router.logits', g.linear(x, m.router, m.experts)); // [B,T,X]
  const scores = m.scores === 'softmax' ? g.softmax(logits) : g.sigmoid(logits);
  const rank = m.bias === null ? scores : g.add(scores, g.weight(m.bias, [m.experts]));
  const { experts, weights } = choose(g, m.perToken, scores, m.groups ? inBestGroups(g, rank, m.groups) : rank);
  const shares = m.normalise ? normalised(g, weights, m.scores === 'sigmoid' ? 1e-20 : 0) : weights;
  return { experts, weights: m.scale === 1 ? shares : g.mul(shares, m.scale) };
}

function experts(g: SegmentBuilder, c: InferredConfig, m: Mixture, x: Value): Value {
  const routed = g.within('', m.path, () => mixture(g, x, route(g, m, x), m.experts, (e, rows) => expert(g, c, m, e, rows)));
  if (!m.shared) return g.probe('mlp.out', routed);
  const said = feedForward(g, c, m.shared.mlp, x, 'mlp.shared');
  const gated = m.shared.gate === null ? said : g.mul(said, g.sigmoid(g.linear(x, m.shared.gate, 1)));
  return g.probe('mlp.out', g.add(routed, gated)); // [B,T,D]
}

function mlp(g: SegmentBuilder, c: InferredConfig, x: Value): Value {
  const m = c.mixture;
  const routes = m !== null && g.has(`${m.path}${m.router}.weight`);
  return routes ? experts(g, c, m, x) : feedForward(g, c, c.mlp as Mlp, x, 'mlp.out');
}

// the model ──────────────────────────────────────────────────────────────────

function block(g: SegmentBuilder, c: InferredConfig, x: Value, i: number): Value {
  const { norms, scales } = c;
  const scaled = (y: Value) => (scales.residual === 1 ? y : g.mul(y, scales.residual));
  const ln1 = g.probe('ln1', optional(g, c, x, norms.attention.before));
  const mixed = optional(g, c, attention(g, c, c.attention[i] as AttentionSpec, ln1), norms.attention.after);
  const mid = g.probe('resid_mid', g.add(x, scaled(mixed)));
  const same = norms.parallel && norms.mlp.before === norms.attention.before;
  const ln2 = g.probe('ln2', same ? ln1 : optional(g, c, norms.parallel ? x : mid, norms.mlp.before));
  return g.add(mid, scaled(optional(g, c, mlp(g, c, ln2), norms.mlp.after))); // [B,T,D]
}

const embed = (g: SegmentBuilder, c: InferredConfig): Value => {
  const rows = g.gather(g.weight(c.embed, [c.vocab, c.dModel]), g.tokens); // [B,T,D]
  const x = c.scales.embedding === 1 ? rows : g.mul(rows, c.scales.embedding);
  const { positions: p } = c;
  if (!p) return x;
  const at = p.offset === 0 ? g.positions(g.tokens) : g.add(g.positions(g.tokens), p.offset);
  return g.add(x, g.gather(g.weight(p.name, [p.rows, c.dModel]), at));
};

const head = (g: SegmentBuilder, c: InferredConfig, x: Value): Value => {
  const normed = g.probe('ln_final', norm(g, c, x, c.finalNorm));
  const own = c.head === null ? null : g.topLinear(normed, c.head);
  const tied = own ?? g.matmul(normed, g.weight(c.embed, [c.vocab, c.dModel]), { transB: true }); // [B,T,V]
  // GPT-J ties the matrix and keeps the bias
  const logits =
    own || c.headBias === null
      ? tied
      : g.add(
          tied,
          g.atTop(() => g.weight(c.headBias as string, [c.vocab])),
        );
  const { logits: factor, softcap } = c.scales;
  const scaled = factor === 1 ? logits : g.mul(logits, factor);
  return softcap === null ? scaled : g.mul(g.tanh(g.div(scaled, softcap)), softcap);
};

/** A decoder of the parts that its checkpoint's names, shapes and config tell of (rules.ts). */
export const inferredDecoder = (blocks: string): Architecture =>
  defineArchitecture<InferredConfig>({
    id: 'inferred',
    names: [],
    prefixes: [],
    anchor: [],
    blockPrefix: (i) => `${blocks}.${i}.`,
    config: () => {
      throw new RangeError('an inferred config is made by its rules');
    },
    layer: (c, i) => {
      const spec = c.attention[i] as AttentionSpec;
      return { mixer: 'attention', attention: spec, heads: spec.heads, headDim: spec.headDim };
    },
    state: (c, i) => attentionState(c.attention[i] as AttentionSpec),
    embed,
    block,
    head,
  });
