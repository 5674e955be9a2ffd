import { Button, Checkbox, IconButton, TextArea, TextField } from '../controls/controls.js';
import { persisted } from '../host.js';
import { FIELDS, placeholders, problemOf } from './sampling.js';
import { chosenModel, chosenPath, prefill, promptText, run, runAll, running, samplingText, stop, useChat } from './session.js';

const showSampling = persisted('sampling', false, (value): value is boolean => typeof value === 'boolean');
const isMac = navigator.platform.startsWith('Mac');

/** The prompt, how it is sampled, and the button that runs it. */
export function Composer() {
  const model = chosenModel.value;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void run();
  };
  return (
    <section class="composer" aria-label="Prompt">
      <TextArea
        label="Prompt"
        rows={4}
        placeholder="Write a prompt…"
        value={promptText.value}
        onInput={(value) => {
          promptText.value = value;
        }}
        onKeyDown={onKeyDown}
      />
      <div class="composer-row">
        <RunOrStop />
        <IconButton
          icon="settings"
          label="Sampling"
          pressed={showSampling.value}
          onClick={() => {
            showSampling.value = !showSampling.value;
          }}
        />
        {model?.hasChatTemplate && <ChatBox />}
        <button
          type="button"
          class="link push"
          title="Runs this prompt on each embedded model and shows them side by side"
          onClick={() => void runAll()}
        >
          Prompt all
        </button>
      </div>
      {showSampling.value && <Sampling />}
      <Prefill />
    </section>
  );
}

const RunOrStop = () =>
  running.value ? (
    <Button icon="debug-stop" kind="secondary" onClick={() => void stop()}>
      Stop
    </Button>
  ) : (
    <Button
      icon="play"
      title={`Run (${isMac ? '⌘' : 'Ctrl+'}Enter)`}
      disabled={chosenPath.value === ''}
      onClick={() => void run()}
    >
      Run
    </Button>
  );

const ChatBox = () => (
  <Checkbox
    checked={useChat.value}
    title="Wraps the prompt as a user turn in the model's chat template"
    onChange={(checked) => {
      useChat.value = checked;
    }}
  >
    Chat
  </Checkbox>
);

function Sampling() {
  const own = placeholders(chosenModel.value?.sampling ?? null);
  return (
    <fieldset class="sampling" aria-label="Sampling">
      {FIELDS.map((field) => (
        <TextField
          key={field.key}
          label={field.label}
          size={6}
          value={samplingText.value[field.key]}
          placeholder={own[field.key]}
          problem={problemOf(field, samplingText.value[field.key])}
          onInput={(value) => {
            samplingText.value = { ...samplingText.value, [field.key]: value };
          }}
        />
      ))}
    </fieldset>
  );
}

/** What happens before the first token. */
function Prefill() {
  const now = running.value;
  if (!now || now.status === 'decode') return null;
  const progress = prefill.value;
  return (
    <div class="prefill" role="status">
      <span>
        {now.status === 'queued' ? 'Waiting for the model' : 'Reading the prompt'}
        {progress && ` · ${progress.what} ${progress.done} of ${progress.total}`}
      </span>
      {progress ? <progress value={progress.done} max={progress.total} /> : <progress />}
    </div>
  );
}
