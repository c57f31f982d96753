// The parts that every view is made of.
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { ApiError } from '../api';
import { number, short } from '../format';
import { t } from '../prefs';
import { trouble } from '../said';
import { say } from '../toasts';
import { Icon, type IconName } from './icon';

interface ButtonProps {
  children?: ComponentChildren;
  icon?: IconName;
  kind?: 'primary' | 'danger' | 'plain';
  small?: boolean;
  wide?: boolean;
  busy?: boolean;
  disabled?: boolean;
  type?: 'button' | 'submit';
  /** What it does, where it shows an icon alone. */
  label?: string;
  pressed?: boolean;
  onClick?: () => unknown;
}

export function Button({ children, icon, kind, small, wide, busy, disabled, type = 'button', label, pressed, onClick }: ButtonProps) {
  const classes = ['button', kind, small && 'small', wide && 'wide', !children && 'icon-only'].filter(Boolean).join(' ');
  return (
    <button class={classes} type={type} disabled={disabled || busy} aria-label={label} title={label} aria-busy={busy} aria-pressed={pressed} onClick={() => onClick?.()}>
      {busy ? <span class="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  wrong?: string;
  children: (attributes: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: true }) => ComponentChildren;
}

/** A labelled control. */
export function Field({ label, hint, wrong, children }: FieldProps) {
  const id = useId();
  const described = hint || wrong ? `${id}-hint` : undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': described, ...(wrong && { 'aria-invalid': true }) })}
      {described && (
        <span id={described} class={wrong ? 'wrong' : 'hint'}>
          {wrong ?? hint}
        </span>
      )}
    </div>
  );
}

interface InputProps {
  label: string;
  value: string;
  onChange: (value: string) => void;
  hint?: ComponentChildren;
  wrong?: string;
  type?: 'text' | 'password' | 'email' | 'url' | 'number' | 'date' | 'search';
  placeholder?: string;
  required?: boolean;
  code?: boolean;
  focus?: boolean;
  disabled?: boolean;
  autocomplete?: string;
}

export function Input({ label, value, onChange, hint, wrong, type = 'text', code, focus, autocomplete = 'off', ...rest }: InputProps) {
  return (
    <Field label={label} hint={hint} wrong={wrong}>
      {(attributes) => (
        <input
          {...attributes}
          {...rest}
          type={type as 'text'} // which of them is no matter to these attributes
          class={code ? 'code' : undefined}
          value={value}
          autofocus={focus}
          autocomplete={autocomplete as never}
          spellcheck={false}
          onInput={(event) => onChange(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

export function TextArea({ label, value, onChange, hint, placeholder, code, rows = 4 }: Omit<InputProps, 'type'> & { rows?: number }) {
  return (
    <Field label={label} hint={hint}>
      {(attributes) => (
        <textarea {...attributes} class={code ? 'code' : undefined} rows={rows} placeholder={placeholder} spellcheck={!code} value={value} onInput={(event) => onChange(event.currentTarget.value)} />
      )}
    </Field>
  );
}

interface SelectProps {
  label: string;
  value: string;
  options: [value: string, shown: string][];
  onChange: (value: string) => void;
  hint?: ComponentChildren;
}

export function Select({ label, value, options, onChange, hint }: SelectProps) {
  return (
    <Field label={label} hint={hint}>
      {(attributes) => (
        <select {...attributes} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          {options.map(([each, shown]) => (
            <option key={each} value={each}>
              {shown}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function Check({ label, hint, checked, onChange }: { label: string; hint?: string; checked: boolean; onChange: (checked: boolean) => void }) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.currentTarget.checked)} />
      <span>
        {label}
        {hint && <span class="muted small"> {hint}</span>}
      </span>
    </label>
  );
}

interface SegmentedProps<Value extends string> {
  label: string;
  value: Value;
  options: { value: Value; shown: ComponentChildren; label?: string }[];
  onChange: (value: Value) => void;
}

/** One choice of a few, all in sight. */
export function Segmented<Value extends string>({ label, value, options, onChange }: SegmentedProps<Value>) {
  return (
    <div class="segmented" role="group" aria-label={label}>
      {options.map((option) => (
        <button key={option.value} type="button" aria-pressed={option.value === value} aria-label={option.label} title={option.label} onClick={() => onChange(option.value)}>
          {option.shown}
        </button>
      ))}
    </div>
  );
}

type Tone = 'good' | 'warn' | 'bad' | 'idle';

export function Badge({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

export function Notice({ tone, children, action }: { tone?: 'good' | 'warn' | 'bad'; children: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class={`notice ${tone ?? ''}`} role={tone === 'bad' ? 'alert' : undefined}>
      <Icon name={tone === 'good' ? 'check' : tone ? 'warn' : 'info'} />
      <div class="grow break">{children}</div>
      {action}
    </div>
  );
}

/** What went wrong, in the server's own words. */
export function Trouble({ error, retry }: { error: ApiError; retry?: () => unknown }) {
  const action = retry && (
    <Button small icon="reset" onClick={retry}>
      {t('Try again')}
    </Button>
  );
  if (error.isMissing) return <Missing />;
  if (error.code === 'unreachable') {
    return (
      <Notice tone="bad" action={action}>
        {t('The Worker cannot be reached.')} <span class="small">{error.message}</span>
      </Notice>
    );
  }
  return (
    <Notice tone="bad" action={action}>
      {trouble(error)}
    </Notice>
  );
}

/** Where this Worker has no such route. */
export function Missing() {
  return <Notice>{t('This Worker does not serve that yet. Deploy a newer version of Weir to use it.')}</Notice>;
}

export function Empty({ icon, title, children, action }: { icon: IconName; title: string; children?: ComponentChildren; action?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

export const Loading = () => (
  <div class="skeleton" role="status">
    <span class="visually-hidden">{t('Loading…')}</span>
  </div>
);

export function PageHead({ title, children, actions }: { title: string; children?: ComponentChildren; actions?: ComponentChildren }) {
  return (
    <header class="page-head">
      <div>
        <h1 tabIndex={-1}>{title}</h1>
        {children && <p>{children}</p>}
      </div>
      {actions && <div class="row">{actions}</div>}
    </header>
  );
}

export function Card({ title, side, children, bare }: { title?: string; side?: ComponentChildren; children: ComponentChildren; bare?: boolean }) {
  return (
    <section class="card">
      {title && (
        <div class="card-head">
          <h2>{title}</h2>
          {side}
        </div>
      )}
      {bare ? children : <div class="card-body">{children}</div>}
    </section>
  );
}

/** A bar for what is used of a limit; a plain number where there is none. */
export function Meter({ label, used, limit }: { label: string; used: number; limit?: number }) {
  const bounded = limit !== undefined && limit >= 0;
  const share = bounded ? (limit === 0 ? 1 : Math.min(1, used / limit)) : 0;
  const said = bounded ? `${short(used)} / ${short(limit)}` : short(used);
  return (
    <div class="meter" title={bounded ? `${label}: ${number(used)} / ${number(limit)}` : `${label}: ${number(used)}`}>
      <span class="of">
        <span class="muted">{label}</span>
        <span>{said}</span>
      </span>
      {bounded && <Bar share={share} />}
    </div>
  );
}

export function Bar({ share }: { share: number }) {
  const tone = share >= 1 ? ' full' : share >= 0.8 ? ' high' : '';
  return (
    <span class={`bar${tone}`} aria-hidden="true">
      <i style={{ width: `${Math.max(share > 0 ? 3 : 0, share * 100)}%` }} />
    </span>
  );
}

export function CopyButton({ text, label, children, ...rest }: { text: () => string; label?: string; children?: ComponentChildren; small?: boolean; kind?: ButtonProps['kind'] }) {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      return say(t('The browser did not allow copying. Select the text and copy it by hand.'));
    }
    setCopied(true);
    say(t('Copied'));
    setTimeout(() => setCopied(false), 1600);
  };
  return (
    <Button {...rest} icon={copied ? 'check' : 'copy'} label={children ? undefined : (label ?? t('Copy'))} onClick={copy}>
      {children}
    </Button>
  );
}

export function Code({ children, wrap, label }: { children: string; wrap?: boolean; label?: string }) {
  return (
    <div class="code-block">
      <pre class={wrap ? 'wrap' : undefined} tabIndex={0} role="group" aria-label={label ?? t('Code')}>
        <code>{children}</code>
      </pre>
      <div class="copy">
        <CopyButton small kind="plain" text={() => children} />
      </div>
    </div>
  );
}

/** A form that sends by itself and by Enter. */
export function Form({ onSubmit, children, class: classes }: { onSubmit: () => unknown; children: ComponentChildren; class?: string }) {
  return (
    <form
      class={classes}
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      {children}
    </form>
  );
}

/** The head of a table's column of buttons. */
export function ActionsHead() {
  return (
    <th class="end">
      <span class="visually-hidden">{t('Actions')}</span>
    </th>
  );
}
