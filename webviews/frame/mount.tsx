import { type ComponentType, render } from 'preact';
import './frame.css';

/** Entry of every view: `mount(Attention)` at the end of webviews/views/attention.tsx. */
export function mount(View: ComponentType): void {
  const root = document.getElementById('root');
  if (root) render(<View />, root);
}
