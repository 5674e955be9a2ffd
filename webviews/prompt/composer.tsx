import { Button, Checkbox, IconButton, TextArea, TextField } from '../controls/controls.js';
import { persisted } from '../host.js';
import { FIELDS, placeholders, problemOf } from './sampling.js';
import {
  chooseImage,
  chosenModel,
  chosenPath,
  hasTowers,
  imagePath,
  prefill,
  promptText,
  run,
  runAll,
  running,
  samplingText,
  stop,
  takes,
  useChat,
} from './session.js';

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
      {model && takes(model, 'pixel_values') && <ImageRow />}
      {(!model || takes(model, 'input_ids') || model.generates) && (
        <TextArea
          label="Prompt"
          rows={4}
          placeholder={model && hasTowers(model) ? 'Write texts, one a line…' : 'Write a prompt…'}
          value={promptText.value}
          onInput={(value) => {
            promptText.value = value;
          }}
          onKeyDown={onKeyDown}
        />
      )}
      <div class="composer-row">
        <RunOrStop />
        {(!model || model.generates) && <Generation />}
      </div>
      {showSampling.value && (!model || model.generates) && <Sampling />}
      <Prefill />
    </section>
  );
}

/** What only a model that goes on token by token has. */
const Generation = () => (
  <>
    <IconButton
      icon="settings"
      label="Sampling"
      pressed={showSampling.value}
      onClick={() => {
        showSampling.value = !showSampling.value;
      }}
    />
    {chosenModel.value?.hasChatTemplate && <ChatBox />}
    <button
      type="button"
      class="link push"
      title="Runs this prompt on each embedded model and shows them side by side"
      onClick={() => void runAll()}
    >
      Prompt all
    </button>
  </>
);

/** The image a model is given, and how to give another. */
const ImageRow = () => (
  <div class="composer-row image-row">
    <i class="codicon codicon-file-media" aria-hidden="true" />
    <span class="image-name" title={imagePath.value}>
      {imagePath.value === '' ? 'No image' : imagePath.value.split(/[\\/]/).at(-1)}
    </span>
    <Button kind="secondary" onClick={() => void chooseImage()}>
      Image…
    </Button>
    {imagePath.value !== '' && (
      <IconButton
        icon="close"
        label="Without the image"
        onClick={() => {
          imagePath.value = '';
        }}
      />
    )}
  </div>
);

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
        {progress
          ? `${progress.what} ${progress.done.toLocaleString('en')} of ${progress.total.toLocaleString('en')}`
          : now.status === 'queued'
            ? 'Waiting for the model'
            : 'Reading the prompt'}
      </span>
      {progress ? <progress value={progress.done} max={progress.total} /> : <progress />}
    </div>
  );
}
