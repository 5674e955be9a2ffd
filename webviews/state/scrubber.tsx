import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { IconButton } from '../controls/controls.js';

export interface ScrubberProps {
  readonly token: number;
  readonly tokens: number;
  readonly playing: Signal<boolean>;
  go(token: number): void;
}

/** First, back, play, forward, last: the strip under it is the slider. */
export function Scrubber({ token, tokens, playing, go }: ScrubberProps) {
  const move = (to: number) => {
    playing.value = false;
    go(to);
  };
  return (
    <div class="scrubber" role="toolbar" aria-label="Tokens">
      <IconButton icon="debug-reverse-continue" label="First token (Home)" disabled={token === 0} onClick={() => move(0)} />
      <IconButton icon="chevron-left" label="Previous token (←)" disabled={token === 0} onClick={() => move(token - 1)} />
      <IconButton
        icon={playing.value ? 'debug-pause' : 'play'}
        label={playing.value ? 'Pause (space)' : 'Play the recorded steps (space)'}
        disabled={tokens < 2}
        onClick={() => toggle(playing, token, tokens, go)}
      />
      <IconButton icon="chevron-right" label="Next token (→)" disabled={token >= tokens - 1} onClick={() => move(token + 1)} />
      <IconButton
        icon="debug-continue"
        label="Last token (End)"
        disabled={token >= tokens - 1}
        onClick={() => move(tokens - 1)}
      />
    </div>
  );
}

/** From the last token, playing begins again at the first. */
export function toggle(playing: Signal<boolean>, token: number, tokens: number, go: (token: number) => void): void {
  if (!playing.value && token >= tokens - 1) go(0);
  playing.value = !playing.value;
}

/** Time a step stays on screen, milliseconds. */
const PACE = 220;

/** Goes on to the next token once the step at this one is on screen: what moves is what was recorded. */
export function usePlaying(token: number, tokens: number, shown: boolean, go: (token: number) => void): Signal<boolean> {
  const playing = useSignal(false);
  useEffect(() => {
    if (!playing.value || !shown) return;
    if (token >= tokens - 1) {
      playing.value = false;
      return;
    }
    const timer = setTimeout(() => go(token + 1), PACE);
    return () => clearTimeout(timer);
  }, [playing.value, shown, token, tokens]);
  return playing;
}
