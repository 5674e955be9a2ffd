import type { Signal } from '@preact/signals';
import type { Copying } from './copying.js';

export interface ToolsProps {
  readonly asTable: Signal<boolean>;
  readonly zoom?: (factor: number) => void;
  readonly fit?: (() => void) | undefined;
  /** Null where there are too many numbers for that. */
  readonly copying: Copying | null;
}

/** Small buttons in the corner of a picture, seen while the pointer or the focus is in it. The picture has a key for each, so that tab passes them. */
export function Tools({ asTable, zoom, fit, copying }: ToolsProps) {
  const copied = copying?.done.value ?? false;
  return (
    <div class="chart-tools">
      {zoom && !asTable.value && <Tool icon="zoom-in" label="Zoom in (+)" run={() => zoom(1.5)} />}
      {zoom && !asTable.value && <Tool icon="zoom-out" label="Zoom out (−)" run={() => zoom(1 / 1.5)} />}
      {fit && !asTable.value && <Tool icon="screen-full" label="Show all (0)" run={fit} />}
      {copying && <Tool icon={copied ? 'check' : 'copy'} label={copied ? 'Copied' : 'Copy the numbers (c)'} run={copying.run} />}
      <Tool
        icon={asTable.value ? 'graph' : 'table'}
        label={asTable.value ? 'Show the picture (t)' : 'Show the numbers as a table (t)'}
        run={() => {
          asTable.value = !asTable.value;
        }}
      />
    </div>
  );
}

const Tool = ({ icon, label, run }: { readonly icon: string; readonly label: string; run(): void }) => (
  <button type="button" tabIndex={-1} class={`codicon codicon-${icon}`} aria-label={label} title={label} onClick={run} />
);
