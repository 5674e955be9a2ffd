import { graphInk } from './graphInk.js';
import type { Tone } from './text.js';

const TONES: readonly [Tone, string][] = [
  ['weights', 'reads weights'],
  ['computes', 'computes'],
  ['moves', 'moves numbers'],
  ['control', 'loop or branch'],
];

/** What colours and lines mean. */
export function Legend({ live }: { readonly live: boolean }) {
  const { tones, text, quiet } = graphInk();
  return (
    <p class="graph-legend">
      {TONES.map(([tone, name]) => (
        <span key={tone}>
          <i style={{ background: tones[tone] }} /> {name}
        </span>
      ))}
      <span>
        <i class="round" style={{ borderColor: tones.moves }} /> state, input, output
      </span>
      <span>
        <i class="stroke" style={{ borderColor: text, borderTopWidth: '2px' }} /> residual stream
      </span>
      <span>
        <i class="stroke" style={{ borderColor: quiet }} /> other values
      </span>
      <span>
        <i class="stroke dashed" style={{ borderColor: quiet }} /> to the next token
      </span>
      {live && <span>‖x‖ L2 norm at the selected token</span>}
    </p>
  );
}
