import { bytes } from '../charts/numbers.js';
import { Dropdown, IconButton } from '../controls/controls.js';
import { models } from '../frame/selection.js';
import { boot } from '../host.js';
import { choose, chosenModel, chosenPath, found, loading, pickOther } from './session.js';

interface Choice {
  readonly value: string;
  readonly text: string;
}

/** Open models first, then embedded ones, then those found in the workspace or opened recently. */
function choices(): Choice[] {
  const names = new Map<string, string>();
  const add = (path: string, name: string) => names.has(path) || names.set(path, name);
  for (const { path, name } of models.value) add(path, name);
  for (const path of boot.embedded) add(path, baseName(path));
  for (const { path, name } of found.value) add(path, name);
  if (chosenPath.value !== '') add(chosenPath.value, baseName(chosenPath.value));
  const all = Array.from(names, ([path, name]) => ({ path, name }));
  const twice = (name: string) => all.filter((other) => other.name === name).length > 1;
  return all.map(({ path, name }) => ({ value: path, text: twice(name) ? `${name} (${folderName(path)})` : name }));
}

const parts = (path: string): string[] => path.split(/[\\/]/).filter(Boolean);
const baseName = (path: string): string => parts(path).at(-1) ?? path;
const folderName = (path: string): string => parts(path).at(-2) ?? '';

export function ModelPicker() {
  return (
    <div class="model">
      <div class="model-row">
        <Dropdown label="Model" labelled value={chosenPath.value} options={choices()} onChange={(path) => void choose(path)} />
        <IconButton icon="folder-opened" label="Open another model" onClick={() => void pickOther()} />
      </div>
      <LoadState />
    </div>
  );
}

function LoadState() {
  const busy = loading.value;
  const model = chosenModel.value;
  if (busy) {
    const { done, total } = busy.progress ?? { done: 0, total: 0 };
    return (
      <div class="model-state" role="status">
        <span>Reading weights {total > 0 && `${bytes(done)} of ${bytes(total)}`}</span>
        {total > 0 ? <progress value={done} max={total} /> : <progress />}
        <button type="button" class="link" onClick={busy.cancel}>
          Cancel
        </button>
      </div>
    );
  }
  if (!model) return <div class="model-state">Not loaded; running loads it.</div>;
  return (
    <>
      <div class="model-state">
        <i class="codicon codicon-circle-filled loaded" aria-hidden="true" />
        {`loaded ${bytes(model.memory)} · ${model.dtype} · ${model.provider}`}
      </div>
      {model.ignoredDtype && (
        <div class="model-state">
          This graph says itself how it is computed: the setting modelLab.dtype ({model.ignoredDtype}) does not apply to it.
        </div>
      )}
    </>
  );
}
