import { signal } from '@preact/signals';
import type { RunDetail } from '../../server/protocol/runs.js';
import { type Progress, request } from '../host.js';
import { attempt } from './session.js';

/** The run that is measured now, how far it is, and how to stop it. */
const measuring = signal<{ readonly run: string; readonly progress: Progress | null; cancel(): void } | null>(null);

/** How far rounded weights are from fp32 on the prompt: measured when asked for, since the weights are loaded once more for it. */
export function ToExact({ run: { id, divergence } }: { readonly run: RunDetail }) {
  const now = measuring.value?.run === id ? measuring.value : null;
  if (now) {
    const { what, done, total } = now.progress ?? { what: 'Measuring KL to fp32', done: 0, total: 0 };
    return (
      <span role="status">
        {` · ${what}${total > 0 ? ` ${done.toLocaleString('en')} of ${total.toLocaleString('en')}` : '…'} `}
        <button type="button" class="link" onClick={now.cancel}>
          Cancel
        </button>
      </span>
    );
  }
  if (divergence) {
    const { tokens, mean, largest, at, agreement } = divergence;
    const title =
      `Mean divergence from the same weights in fp32 over the ${tokens} tokens of the prompt, nats a token; ` +
      `at most ${largest.toPrecision(3)}, after token ${at}; the most likely token is the same after ${(100 * agreement).toFixed(1)} % of them`;
    return (
      <span class="to-exact" title={title}>
        {` · KL to fp32 ${mean.toPrecision(2)} nats a token, same top token ${(100 * agreement).toFixed(0)} %`}
      </span>
    );
  }
  return (
    <>
      {' · '}
      <button
        type="button"
        class="link"
        title="Loads the weights in fp32 as well and compares the distributions after every token of the prompt"
        onClick={() => void attempt(() => measure(id))}
      >
        Measure KL to fp32
      </button>
    </>
  );
}

async function measure(run: string): Promise<void> {
  const controller = new AbortController();
  const tell = (progress: Progress | null) => {
    measuring.value = { run, progress, cancel: () => controller.abort() };
  };
  tell(null);
  try {
    await request('runs/divergence', { run }, { signal: controller.signal, progress: tell });
  } finally {
    measuring.value = null;
  }
}
