import type { BoundStack } from '../graph/segment.js';
import { segmentOf } from '../graph/segmentParts.js';
import { type Call, walk } from '../graph/sizes.js';
import type { Fit, FitWanted } from '../protocol/fit.js';
import { CHUNK } from '../runtime/run.js';

/** One kind of call: its sizes in each tower. */
export type CallOf = ReadonlyMap<string, Call>;

export interface Calls {
  /** Of a model of one pass that pass. */
  readonly prefill: CallOf;
  readonly decode: CallOf | null;
  readonly image: Fit['image'];
  /** Whether how many tokens there are is asked, and not told by an image. */
  readonly text: boolean;
}

/**
 * The two calls that are looked at: a chunk in the middle of the prompt, whose cost is the mean of all, and one more token at its end. A model of one
 * pass has one call, of everything it reads: as many words as are wanted and it has positions for, or the tokens that an image is made into.
 */
export function callsOf(
  stacks: ReadonlyMap<string, BoundStack>,
  { tokens, batch, pixels }: Pick<FitWanted, 'tokens' | 'batch' | 'pixels'>,
): Calls {
  if ([...stacks.values()].every(({ architecture }) => 'head' in architecture)) {
    const chunk = Math.min(CHUNK, tokens);
    const prefill = { batch, tokens: chunk, past: Math.floor((tokens - chunk) / 2) };
    const decode = { batch, tokens: 1, past: Math.max(0, tokens - 1) };
    const each = (call: Call) => new Map([...stacks.keys()].map((tower) => [tower, call]));
    return { prefill: each(prefill), decode: each(decode), image: null, text: true };
  }
  const passes = [...stacks].map(([tower, bound]) => ({ tower, ...passOf(bound, { tokens, batch, pixels }) }));
  return {
    prefill: new Map(passes.map(({ tower, call }) => [tower, call])),
    decode: null,
    image: passes.find(({ image }) => image)?.image ?? null,
    text: passes.some(({ image }) => !image),
  };
}

/** All tokens of a run in one call; of an image the size that gives as many, if it is the one its images have. */
export function wholeCall(bound: BoundStack, tokens: number, pixels?: FitWanted['pixels']): Call {
  const plain = { batch: 1, tokens, past: 0 };
  if ('head' in bound.architecture) return plain;
  const { call } = passOf(bound, { tokens, batch: 1, pixels });
  return call.tokens === tokens ? call : plain;
}

/** What a tower reads at once. How many tokens an image becomes is told by the graph that makes them. */
function passOf(
  bound: BoundStack,
  { tokens, batch, pixels }: Pick<FitWanted, 'tokens' | 'batch' | 'pixels'>,
): { readonly call: Call; readonly image: Fit['image'] } {
  const { limit, image } = bound.config;
  if (!image) return { call: { batch, tokens: Math.min(tokens, limit ?? tokens), past: 0 }, image: null };
  const { graph, given } = segmentOf(bound, 'embed');
  const free = given.some(({ shape }) => shape.includes('height'));
  const [height, width] = (free ? pixels : null) ?? image;
  const call: Call = { batch, tokens: 0, past: 0, sizes: { height, width } };
  const known = walk(graph, call, () => undefined);
  const [, patches] = known.get(graph.outputs.get('resid.next')?.name ?? '')?.shape ?? [];
  return { call: { ...call, tokens: patches ?? 0 }, image: { height, width, free } };
}

/** The part that says the logits: of a prompt only its last token is needed to go on, an encoder says something of all. */
export const headCall = ({ architecture }: BoundStack, call: Call): Call =>
  'head' in architecture ? { ...call, tokens: 1 } : call;
