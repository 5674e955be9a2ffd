import assert from 'node:assert/strict';
import test from 'node:test';
import type { StateStep } from '../../server/protocol/inspect.js';
import type { Loadable } from '../../webviews/frame/loadable.js';

interface Sent {
  readonly kind: string;
  readonly id: number;
  readonly params?: { readonly token: number };
}

const sent: Sent[] = [];
const receivers: ((event: { readonly data: unknown }) => void)[] = [];
const boot = { selection: { run: null, token: 0, layer: 0, head: 0, tensor: null }, server: 'ready', prices: {} };
Object.assign(globalThis, {
  acquireVsCodeApi: () => ({
    postMessage: (message: Sent) => sent.push(message),
    getState: () => null,
    setState: () => undefined,
  }),
  document: { getElementById: () => ({ textContent: JSON.stringify(boot) }) },
  window: { addEventListener: (_: string, receive: (typeof receivers)[number]) => receivers.push(receive) },
});
const { lookAt } = await import('../../webviews/state/steps.js');

const TOKENS = 50;
let shown: Loadable<StateStep> = { state: 'idle' };
const look = (token: number) =>
  lookAt(
    { run: 'r', layer: 1, state: 'ssm', group: 0, against: null, token },
    TOKENS,
    (change) => {
      shown = change(shown);
    },
    () => undefined,
  );
const settled = () => new Promise((resolve) => setImmediate(resolve));
/** Tokens that were asked for, and ids that were cancelled, since the last call. */
const heard = () => {
  const messages = sent.splice(0);
  return {
    asked: messages.filter(({ kind }) => kind === 'request'),
    cancelled: messages.filter(({ kind }) => kind === 'cancel').map(({ id }) => id),
  };
};
const tokensOf = (messages: readonly Sent[]) => messages.map(({ params }) => params?.token);
async function answer(messages: readonly Sent[]): Promise<void> {
  for (const { id, params } of messages)
    for (const receive of receivers) receive({ data: { kind: 'result', id, result: { token: params?.token } } });
  await settled();
}
const token = () => (shown.state === 'ready' ? shown.value.token : shown.state);

test('scrubbing finds the next token computed, asks for the one behind it, and lets go of what it left', async () => {
  const leave = look(5);
  assert.equal(token(), 'loading');
  const first = heard().asked;
  assert.deepEqual(tokensOf(first), [5]); // what is looked at comes first
  await answer(first);
  assert.equal(token(), 5);
  const around = heard().asked;
  assert.deepEqual(tokensOf(around), [6, 4]);
  await answer(around);

  leave();
  look(6)();
  assert.equal(token(), 6); // without waiting
  const ahead = heard().asked;
  assert.deepEqual(tokensOf(ahead), [7]);

  look(40);
  const jump = heard();
  assert.deepEqual(tokensOf(jump.asked), [40]);
  assert.deepEqual(jump.cancelled, [ahead[0]?.id]);
  await answer(jump.asked);
  assert.deepEqual(tokensOf(heard().asked), [41, 39]);
});

test('there is nothing to fetch before the first token and behind the last', async () => {
  look(0);
  await answer(heard().asked);
  assert.deepEqual(tokensOf(heard().asked), [1]);
  look(TOKENS - 1);
  await answer(heard().asked);
  assert.deepEqual(tokensOf(heard().asked), [TOKENS - 2]);
});
