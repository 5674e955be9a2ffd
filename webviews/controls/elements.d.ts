import type { Ref } from 'preact';

type ToolkitAttributes = { readonly [name: string]: unknown; readonly ref?: Ref<HTMLElement & { value: string }> };

declare module 'preact' {
  namespace JSX {
    /** The toolkit's custom elements; only webviews/controls uses them. */
    interface IntrinsicElements {
      'vscode-button': ToolkitAttributes;
      'vscode-checkbox': ToolkitAttributes;
      'vscode-dropdown': ToolkitAttributes;
      'vscode-option': ToolkitAttributes;
      'vscode-panels': ToolkitAttributes;
      'vscode-panel-tab': ToolkitAttributes;
      'vscode-text-area': ToolkitAttributes;
      'vscode-text-field': ToolkitAttributes;
    }
  }
}
