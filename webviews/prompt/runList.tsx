import type { RunInfo } from '../../server/protocol/runs.js';
import { memoryNotes } from '../frame/runMemory.js';
import { runs, selection } from '../frame/selection.js';
import { persisted, showInspector } from '../host.js';
import { isRunning, remove, reselect } from './session.js';

/** The side bar has a tree of them below; here they are at hand, folded away. */
const unfolded = persisted('runs', false, (value): value is boolean => typeof value === 'boolean');

const time = (created: number): string => new Date(created).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

/** Runs of this session; choosing one brings its prompt back and all views follow. */
export function RunList() {
  if (runs.value.length === 0) return null;
  return (
    <div class="runs">
      <details
        open={unfolded.value}
        onToggle={(event) => {
          unfolded.value = event.currentTarget.open;
        }}
      >
        <summary>
          History <span class="quiet">{runs.value.length}</span>
        </summary>
        <ul>
          {runs.value.map((run) => (
            <Row key={run.id} run={run} />
          ))}
        </ul>
      </details>
      {runs.value.length > 1 && (
        <button type="button" class="link" onClick={() => showInspector('compare')}>
          Compare
        </button>
      )}
    </div>
  );
}

function Row({ run }: { readonly run: RunInfo }) {
  const chosen = run.id === selection.value.run;
  const notes = memoryNotes(run).map(([text]) => text);
  return (
    <li class={chosen ? 'run chosen' : 'run'}>
      <button
        type="button"
        class="run-name"
        aria-pressed={chosen}
        title={[run.recipe.prompt ?? run.title, ...notes].join('\n')}
        onClick={() => reselect(run)}
      >
        <i class={`codicon codicon-${icon(run)}`} role="img" aria-label={run.status} />
        <span class="run-time">{time(run.created)}</span>
        <span class="run-title">{run.title || 'empty prompt'}</span>
        <span class="quiet">{run.modelName}</span>
        {run.dropped && <span class="quiet">freed</span>}
      </button>
      <button
        type="button"
        class="run-remove"
        aria-label={`Remove run ${run.title}`}
        title="Remove"
        onClick={() => void remove(run)}
      >
        <i class="codicon codicon-close" aria-hidden="true" />
      </button>
    </li>
  );
}

function icon(run: RunInfo): string {
  if (isRunning(run)) return 'sync';
  if (run.status === 'failed') return 'error';
  if (run.recipe.branch) return 'git-branch';
  return run.status === 'stopped' ? 'debug-stop' : 'circle-small';
}
