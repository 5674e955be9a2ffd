import { computed, signal } from '@preact/signals';
import type { LabErrorData } from '../../server/protocol/errors.js';
import type { RunInfo } from '../../server/protocol/runs.js';
import { models, runs, selection } from '../frame/selection.js';
import { boot, errorData, request, select } from '../host.js';

const sameInput = (a: RunInfo, b: RunInfo): boolean =>
  a.recipe.prompt === b.recipe.prompt &&
  a.recipe.image === b.recipe.image &&
  a.recipe.inputs === b.recipe.inputs &&
  JSON.stringify(a.recipe.ids) === JSON.stringify(b.recipe.ids) &&
  a.recipe.chat === b.recipe.chat;

/** The selected run, or the newest one. */
export const subject = computed<RunInfo | null>(
  () => runs.value.find(({ id }) => id === selection.value.run) ?? runs.value[0] ?? null,
);

/** Its prompt on every model that has seen it: the newest run of each, the selected one for its own; by model name. */
export const group = computed<readonly RunInfo[]>(() => {
  const chosen = subject.value;
  if (!chosen) return [];
  const byPath = new Map<string, RunInfo>([[chosen.recipe.path, chosen]]);
  for (const run of runs.value) if (sameInput(run, chosen) && !byPath.has(run.recipe.path)) byPath.set(run.recipe.path, run);
  return [...byPath.values()].sort((a, b) => a.modelName.localeCompare(b.modelName));
});

/** Models that have not seen the prompt: open ones and embedded ones. */
export const others = computed<readonly string[]>(() => {
  const seen = new Set(group.value.map(({ recipe }) => recipe.path));
  return [...new Set([...models.value.map(({ path }) => path), ...boot.embedded])].filter((path) => !seen.has(path));
});

/** Why a model could not be added. */
export const problem = signal<LabErrorData | null>(null);
/** Paths that are being opened or prompted. */
export const starting = signal<readonly string[]>([]);

/** The subject's prompt and sampling on further models, one after the other: they share the processor. */
export async function add(paths: readonly string[]): Promise<void> {
  const chosen = subject.value;
  if (!chosen) return;
  problem.value = null;
  if (selection.value.run === null) select({ run: chosen.id });
  starting.value = paths;
  try {
    for (const path of paths) {
      const model = await request('models/open', { path });
      await request('runs/start', { ...chosen.recipe, path, branch: null, chat: chosen.recipe.chat && model.hasChatTemplate });
    }
  } catch (error) {
    problem.value = errorData(error);
  } finally {
    starting.value = [];
  }
}
