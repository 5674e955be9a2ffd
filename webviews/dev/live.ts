import type { LabErrorData } from '../../server/protocol/errors.js';
import type { EventName, Events } from '../../server/protocol/events.js';
import type { ModelEntry } from '../../server/protocol/models.js';
import type { Method, Params, Result } from '../../server/protocol/requests.js';
import type { RunInfo } from '../../server/protocol/runs.js';
import { type Backend, emit } from './fake.js';

const TYPES = { Float32Array, Uint8Array, Uint16Array, Int32Array, Uint32Array, Float64Array };

/** The real server, behind `node webviews/dev/serve.mjs --live`. */
export class Live implements Backend {
  /** The text that the views which follow the editor are about. */
  document: { select(range: { readonly from: number; readonly to: number }): void } | null = null;

  constructor() {
    new EventSource('events').onmessage = ({ data }) => {
      const { event, payload } = decode(data) as { event: EventName; payload: Events[EventName] };
      emit(event, payload);
    };
  }

  async answer(method: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    if (method === 'host/selectText') this.document?.select(params as { from: number; to: number });
    if (method.startsWith('host/')) return null;
    const body = JSON.stringify({ method, params, progress: null });
    const response = await fetch('lab', { method: 'POST', body, signal });
    const answer = decode(await response.text());
    if (!response.ok) throw answer as LabErrorData;
    return answer;
  }

  ask<M extends Method>(method: M, params: Params<M>): Promise<Result<M>> {
    return this.answer(method, params, new AbortController().signal) as Promise<Result<M>>;
  }

  async embedded(): Promise<readonly ModelEntry[]> {
    return (await this.ask('models/find', { folders: [] })).filter(({ source }) => source === 'embedded');
  }

  /** Runs a prompt to its end. */
  async run(path: string, prompt: string, maxTokens: number): Promise<RunInfo> {
    const { sampling } = await this.ask('models/open', { path });
    const started = await this.ask('runs/start', { path, prompt, ids: null, chat: false, maxTokens, sampling, branch: null });
    for (;;) {
      const now = (await this.ask('runs/list', {})).find(({ id }) => id === started.id);
      if (!now || !['queued', 'prefill', 'decode'].includes(now.status)) return now ?? started;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function decode(text: string): unknown {
  return JSON.parse(text, (_, part) => {
    if (typeof part !== 'object' || part === null || !(part.typed in TYPES)) return part;
    const bytes = Uint8Array.from(atob(part.base64), (character) => character.charCodeAt(0));
    return new TYPES[part.typed as keyof typeof TYPES](bytes.buffer);
  });
}
