import type { LayerSummary, ModelEntry, ModelInfo } from '../../server/protocol/models.js';
import type { Params } from '../../server/protocol/requests.js';
import type { RunDetail, RunInfo, RunRecipe } from '../../server/protocol/runs.js';
import { type Backend, emit } from './fake.js';
import { cell, column, edges, preview, row, thumbnails, tile } from './syntheticAttention.js';
import { inspect } from './syntheticInspect.js';
import { alternatives, syntheticTokens } from './syntheticTokens.js';

const SAMPLING = { temperature: 0.8, topK: 40, topP: null, seed: 1 };

function layers(mixer: LayerSummary['mixer'], count: number): LayerSummary[] {
  return Array.from({ length: count }, (_, index) => ({
    index,
    mixer,
    heads: mixer === 'attention' ? 9 : 6,
    kvHeads: mixer === 'attention' ? 3 : 6,
    headDim: 64,
    window: null,
    state:
      mixer === 'attention'
        ? ['k', 'v'].map((name) => ({
            name,
            kind: 'kv' as const,
            shape: [3, 'S' as const, 64],
            bytesFixed: 0,
            bytesPerToken: 768,
            keeps: null,
          }))
        : [
            {
              name: mixer === 'mamba' ? 'ssm' : 'wkv',
              kind: 'matrix',
              shape: [384, 16],
              bytesFixed: 24_576,
              bytesPerToken: 0,
              keeps: null,
            },
          ],
  }));
}

const model = (name: string, family: string, mixer: LayerSummary['mixer'], count: number): ModelInfo => ({
  id: name,
  path: `/models/${name}`,
  name,
  family,
  parameters: 2_400_000,
  dtype: 'F32',
  computed: 'own',
  provider: 'cpu',
  memory: 7_300_000,
  vocabSize: 4096,
  dModel: 192,
  contextLength: 2048,
  layers: layers(mixer, count),
  probes: [],
  inputs: [{ name: 'input_ids', dtype: 'int64', shape: ['T'], optional: false }],
  outputs: ['logits'],
  generates: true,
  hasTokenizer: true,
  hasChatTemplate: name === 'tiny-llama',
  sampling: SAMPLING,
});

export const MODELS = [
  model('tiny-llama', 'llama', 'attention', 6),
  model('tiny-mamba', 'mamba', 'mamba', 6),
  model('tiny-rwkv7', 'rwkv7', 'rwkv', 6),
];

export interface Scene {
  readonly tokens: number;
  readonly model: string;
  /** Milliseconds before each answer. */
  readonly delay: number;
  readonly failing: boolean;
}

/** Invented numbers to lay out the views before an engine runs; `live.ts` is the real one. */
export class Synthetic implements Backend {
  readonly runs: RunDetail[];

  constructor(private readonly scene: Scene) {
    const minutes = (n: number) => Date.UTC(2025, 5, 1, 12, n);
    this.runs = scene.tokens === 0 ? [] : MODELS.map((info, n) => run(info, `r${n}`, scene.tokens, minutes(n)));
  }

  async answer(
    method: string,
    params: unknown,
    abort: AbortSignal,
    progress: (done: number, total: number, what: string) => void,
  ): Promise<unknown> {
    if (this.scene.delay > 0 && /^(attention|cache|state)/.test(method)) await this.wait(abort, progress);
    if (this.scene.failing && /^(attention|cache|state)/.test(method))
      throw {
        code: 'OUT_OF_MEMORY',
        message: 'The segment of block 3 needs 2.1 GB; 0.8 GB are free.',
        hint: 'Close other models, or use a shorter prompt.',
      };
    const attention = params as Params<'attention/tile'> &
      Params<'attention/thumbnails'> &
      Params<'attention/cell'> &
      Params<'attention/edges'>;
    switch (method) {
      case 'models/find':
        return MODELS.map(
          ({ path, name, memory }, n): ModelEntry => ({
            path,
            name,
            source: 'embedded',
            format: 'hf',
            bytes: memory,
            open: n < 2 ? name : null,
          }),
        );
      case 'models/list':
        return MODELS;
      case 'models/open':
        return MODELS.find(({ path }) => path === (params as { path: string }).path) ?? MODELS[0];
      case 'runs/list':
        return this.runs.map(({ tokenInfos: _tokens, next: _next, ...info }): RunInfo => info);
      case 'runs/get':
        return this.runs.find(({ id }) => id === (params as { run: string }).run);
      case 'runs/start':
        return this.start(params as RunRecipe);
      case 'runs/branch':
        return this.start({ ...(this.runs[0] as RunDetail).recipe, branch: params as { run: string; token: number } });
      case 'attention/thumbnails':
        return thumbnails(attention, 9, 3);
      case 'attention/preview':
        return preview(attention);
      case 'attention/tile':
        return tile(attention);
      case 'attention/column':
        return column(attention);
      case 'attention/edges':
        return edges(attention, 9);
      case 'attention/row':
        return row(attention);
      case 'attention/cell':
        return cell(attention);
      default:
        return inspect(method, params, {
          tokens: this.scene.tokens,
          layers: 6,
          heads: 9,
          kvHeads: 3,
          headDim: 64,
          mixer: this.scene.model === 'tiny-mamba' ? 'mamba' : 'rwkv',
        });
    }
  }

  private async wait(abort: AbortSignal, progress: (done: number, total: number, what: string) => void): Promise<void> {
    for (let done = 0; done < 10; done++) {
      progress(done, 10, 'Attention of block');
      await new Promise((resolve) => setTimeout(resolve, this.scene.delay / 10));
      if (abort.aborted)
        throw { code: 'CANCELLED', message: 'The request was cancelled.', hint: 'Run it again when you need it.' };
    }
  }

  private start(recipe: RunRecipe): RunInfo {
    const info = MODELS.find(({ path }) => path === recipe.path) ?? (MODELS[0] as ModelInfo);
    const whole = run(info, `r${this.runs.length}`, 40, Date.now());
    const started: RunDetail = { ...whole, recipe, tokenInfos: [], tokens: 0, status: 'prefill' };
    this.runs.unshift(started);
    void this.stream(whole, started);
    return started;
  }

  private async stream(whole: RunDetail, started: RunDetail): Promise<void> {
    const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const at = this.runs.indexOf(started);
    const update = (change: Partial<RunDetail>) => {
      const now = { ...(this.runs[at] as RunDetail), ...change };
      this.runs[at] = now;
      const { tokenInfos: _tokens, next: _next, ...info } = now;
      emit('runs/changed', { run: info });
    };
    await pause(400);
    emit('runs/tokens', { run: whole.id, tokens: whole.tokenInfos.slice(0, whole.promptTokens) });
    for (const token of whole.tokenInfos.slice(whole.promptTokens)) {
      await pause(30);
      emit('runs/tokens', { run: whole.id, tokens: [token] });
      update({ status: 'decode', tokens: token.index + 1, tokenInfos: whole.tokenInfos.slice(0, token.index + 1) });
    }
    update({ status: 'done' });
  }
}

function run(info: ModelInfo, id: string, tokens: number, created: number): RunDetail {
  const promptTokens = Math.max(1, Math.floor(tokens * 0.7));
  const tokenInfos = syntheticTokens(tokens, promptTokens);
  const text = tokenInfos
    .slice(0, promptTokens)
    .map((token) => token.text)
    .join('');
  return {
    id,
    model: info.id,
    modelName: info.name,
    created,
    recipe: { path: info.path, prompt: text, ids: null, chat: false, maxTokens: 60, sampling: info.sampling, branch: null },
    status: 'done',
    error: null,
    promptTokens,
    tokens,
    title: text.slice(0, 24),
    prefillMs: 41,
    tokensPerSecond: 58.2,
    loss: 1.22,
    divergence: null,
    memory: 2_300_000,
    reused: 0,
    dropped: false,
    tokenInfos,
    next: alternatives(tokens, 0.5, ' key'),
  };
}
