import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeCheckbox,
  vsCodeDropdown,
  vsCodeOption,
  vsCodeTextArea,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import './controls.css';

// Only this folder knows the toolkit, which is archived upstream: what views use is below, and could be drawn otherwise.
provideVSCodeDesignSystem().register(
  vsCodeButton(),
  vsCodeCheckbox(),
  vsCodeDropdown(),
  vsCodeOption(),
  vsCodeTextArea(),
  vsCodeTextField(),
);

export interface ButtonProps {
  readonly kind?: 'primary' | 'secondary';
  /** Codicon name before the text. */
  readonly icon?: string;
  readonly disabled?: boolean;
  readonly title?: string;
  onClick(event: MouseEvent): void;
  readonly children: ComponentChildren;
}

export const Button = ({ kind = 'primary', icon, disabled = false, title, onClick, children }: ButtonProps) => (
  <vscode-button appearance={kind} disabled={disabled} title={title} onClick={onClick}>
    {icon && <span slot="start" class={`codicon codicon-${icon}`} aria-hidden="true" />}
    {children}
  </vscode-button>
);

export interface IconButtonProps {
  readonly icon: string;
  /** Said by a screen reader and shown as a tooltip. */
  readonly label: string;
  readonly disabled?: boolean;
  readonly pressed?: boolean;
  onClick(event: MouseEvent): void;
}

export const IconButton = ({ icon, label, disabled = false, pressed, onClick }: IconButtonProps) => (
  // biome-ignore lint/a11y/useAriaPropsSupportedByRole: the element gives it to the button inside it
  <vscode-button
    class={pressed ? 'pressed' : undefined}
    appearance="icon"
    aria-label={label}
    aria-pressed={pressed}
    title={label}
    disabled={disabled}
    onClick={onClick}
  >
    <span class={`codicon codicon-${icon}`} aria-hidden="true" />
  </vscode-button>
);

export interface DropdownProps<V extends string> {
  readonly label: string;
  /** Show the label beside the box. */
  readonly labelled?: boolean;
  readonly value: V;
  readonly options: readonly { readonly value: V; readonly text: string; readonly disabled?: boolean }[];
  readonly disabled?: boolean;
  onChange(value: V): void;
}

export function Dropdown<V extends string>({
  label,
  labelled = false,
  value,
  options,
  disabled = false,
  onChange,
}: DropdownProps<V>) {
  const ref = useRef<HTMLElement & { value: string }>(null);
  // The element forgets its value when options come later than it does.
  useLayoutEffect(() => {
    if (ref.current && ref.current.value !== value) ref.current.value = value;
  });
  const box = (
    <vscode-dropdown
      ref={ref}
      aria-label={label}
      disabled={disabled}
      onChange={(event: Event) => {
        const chosen = (event.target as HTMLElement & { value: string }).value as V;
        if (chosen !== value) onChange(chosen);
      }}
    >
      {options.map((option) => (
        <vscode-option
          key={option.value}
          value={option.value}
          disabled={option.disabled ?? false}
          selected={option.value === value}
        >
          {option.text}
        </vscode-option>
      ))}
    </vscode-dropdown>
  );
  return labelled ? (
    <span class="labelled">
      <span aria-hidden="true">{label}</span>
      {box}
    </span>
  ) : (
    box
  );
}

export interface TextAreaProps {
  readonly label: string;
  readonly value: string;
  readonly rows?: number;
  readonly placeholder?: string;
  onInput(value: string): void;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
}

export function TextArea({ label, value, rows = 4, placeholder = '', onInput, onKeyDown }: TextAreaProps) {
  const area = useRef<HTMLElement & { value: string }>(null);
  // The toolkit calls it "Text area" when it comes into the page.
  useLayoutEffect(() => area.current?.setAttribute('aria-label', label), [label]);
  return (
    <vscode-text-area
      ref={area}
      value={value}
      rows={rows}
      placeholder={placeholder}
      resize="vertical"
      spellcheck={false}
      onInput={(event: Event) => onInput((event.target as HTMLTextAreaElement).value)}
      onKeyDown={onKeyDown}
    />
  );
}

export interface TextFieldProps {
  readonly label: string;
  readonly value: string;
  readonly placeholder?: string;
  /** Said under the field when the value cannot be used. */
  readonly problem?: string | null;
  readonly size?: number;
  /** Takes the focus when it appears. */
  readonly focused?: boolean;
  onInput(value: string): void;
  readonly onEnter?: () => void;
}

export const TextField = ({
  label,
  value,
  placeholder = '',
  problem = null,
  size = 8,
  focused = false,
  onInput,
  onEnter,
}: TextFieldProps) => (
  <vscode-text-field
    autofocus={focused}
    onKeyDown={(event: KeyboardEvent) => event.key === 'Enter' && onEnter?.()}
    class={problem ? 'problem' : undefined}
    aria-invalid={problem !== null}
    title={problem ?? undefined}
    value={value}
    placeholder={placeholder}
    size={size}
    onInput={(event: Event) => onInput((event.target as HTMLInputElement).value)}
  >
    {label}
  </vscode-text-field>
);

export interface CheckboxProps {
  readonly checked: boolean;
  readonly title?: string;
  onChange(checked: boolean): void;
  readonly children: ComponentChildren;
}

export const Checkbox = ({ checked, title, onChange, children }: CheckboxProps) => (
  <vscode-checkbox
    checked={checked}
    title={title}
    onChange={(event: Event) => {
      const now = (event.target as HTMLInputElement).checked;
      if (now !== checked) onChange(now);
    }}
  >
    {children}
  </vscode-checkbox>
);

export interface TabsProps<V extends string> {
  readonly label: string;
  readonly value: V;
  readonly tabs: readonly { readonly value: V; readonly text: string }[];
  onChange(value: V): void;
}

/** The tabs alone; the view shows the panel of the chosen one. The toolkit's need its panels to work. */
export function Tabs<V extends string>({ label, value, tabs, onChange }: TabsProps<V>) {
  const onKeyDown = (event: KeyboardEvent & { readonly currentTarget: HTMLElement }) => {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    const index = tabs.findIndex((tab) => tab.value === value) + by;
    const next = tabs[(index + tabs.length) % tabs.length];
    if (by === 0 || !next) return;
    event.preventDefault();
    event.stopPropagation();
    onChange(next.value);
    (event.currentTarget.children[tabs.indexOf(next)] as HTMLElement | undefined)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={onKeyDown}>
      {tabs.map((tab) => (
        <button
          key={tab.value}
          type="button"
          role="tab"
          aria-selected={tab.value === value}
          tabIndex={tab.value === value ? 0 : -1}
          onClick={() => onChange(tab.value)}
        >
          {tab.text}
        </button>
      ))}
    </div>
  );
}
