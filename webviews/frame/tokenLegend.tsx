import { Dropdown } from '../controls/controls.js';
import { boot, persisted } from '../host.js';
import { FULL_SURPRISAL, fill, type TokenColour } from './tokenText.js';

const COLOURS: readonly TokenColour[] = ['surprisal', 'probability', 'none'];
const isColour = (value: unknown): value is TokenColour => COLOURS.includes(value as TokenColour);

/** What the tokens of this view are coloured by. */
export const tokenColour = persisted<TokenColour>('colour', boot.colour, isColour);

const STEPS = [0, 0.2, 0.4, 0.6, 0.8, 1];
const ENDS = { surprisal: ['0', `≥ ${FULL_SURPRISAL} bits`], probability: ['0', '100 %'] } as const;

/** Chooses the colour of the tokens and says what it means. */
export function TokenLegend() {
  const colour = tokenColour.value;
  return (
    <div class="token-legend">
      <Dropdown
        label="Colour"
        labelled
        value={colour}
        options={COLOURS.map((value) => ({ value, text: value }))}
        onChange={(value) => {
          tokenColour.value = value;
        }}
      />
      {colour !== 'none' && (
        <span class="legend-scale">
          {ENDS[colour][0]}
          <span
            class="legend-ramp"
            style={{ backgroundImage: `linear-gradient(to right, ${STEPS.map((step) => fill(step, colour)).join(', ')})` }}
          />
          {ENDS[colour][1]}
        </span>
      )}
    </div>
  );
}
