import { signal } from '@preact/signals';
import type { RunDetail } from '../../server/protocol/runs.js';
import { request } from '../host.js';
import { attempt } from './session.js';

const measuring = signal<string | null>(null);

/** How far rounded weights are from fp32 on the prompt: measured when asked for, since the weights are loaded once more for it. */
export function ToExact({ run: { id, divergence } }: { readonly run: RunDetail }) {
  if (measuring.value === id) return <span>{' · measuring KL to fp32…'}</span>;
  if (divergence) {
    const { tokens, mean, largest, at, agreement } = divergence;
    const title =
      `Mean divergence from the same weights in fp32 over the ${tokens} tokens of the prompt, nats a token; ` +
      `at most ${largest.toPrecision(3)}, after token ${at}; the most likely token is the same after ${(100 * agreement).toFixed(1)} % of them`;
    return <span title={title}>{` · KL to fp32 ${mean.toPrecision(2)}, same top token ${(100 * agreement).toFixed(0)} %`}</span>;
  }
  const measure = () =>
    attempt(async () => {
      measuring.value = id;
      try {
        await request('runs/divergence', { run: id });
      } finally {
        measuring.value = null;
      }
    });
  return (
    <>
      {' · '}
      <button
        type="button"
        class="link"
        title="Loads the weights in fp32 as well and compares the distributions after every token of the prompt"
        onClick={() => void measure()}
      >
        Measure KL to fp32
      </button>
    </>
  );
}
