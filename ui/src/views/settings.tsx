// Every setting with its value, its default and what it does. What this page does not know by name is shown all the same.
import { useState } from 'preact/hooks';
import { ApiError, call } from '../api';
import { useAction } from '../components/dialog';
import { Button, Card, Loading, PageHead, Trouble } from '../components/parts';
import { t } from '../prefs';
import { useConfig } from '../store';
import { say } from '../toasts';
import type { SettingValue, Settings as Values } from '../types';
import { type Known, knownSettings } from './settings-known';

/** A setting that is edited as one: objects are, where they hold other people's words. */
type Leaf = SettingValue;

export function Settings() {
  const config = useConfig();
  const [edits, setEdits] = useState<Map<string, string>>(new Map());
  const { busy, error, run, forget } = useAction();
  const known = knownSettings();
  const whole = new Set(known.flatMap((group) => group.settings.filter((setting) => setting.isJson).map((setting) => setting.path)));
  const stored = config.data ? leaves(config.data.settings, whole) : new Map<string, Leaf>();
  const groups = [...known, { title: t('Others'), settings: [...stored.keys()].filter((path) => !known.some((group) => group.settings.some((each) => each.path === path))).map((path): Known => ({ path, name: path, effect: '' })) }];

  const edit = (path: string, text: string): void => {
    const next = new Map(edits);
    if (text === textOf(stored.get(path)!)) next.delete(path);
    else next.set(path, text);
    setEdits(next);
  };
  const save = (): Promise<unknown> =>
    run(async () => {
      const settings = structuredClone(config.data!.settings);
      for (const [path, text] of edits) put(settings, path.split('.'), valueOf(path, text, stored.get(path)!));
      await call('POST', '/admin/config', { body: { settings } });
      setEdits(new Map());
      say(t('Saved'));
      await config.refresh();
    });

  return (
    <>
      <PageHead title={t('Settings')}>{t('Each with its default and what it does. A change holds from the next request on.')}</PageHead>
      {config.error && <Trouble error={config.error} retry={config.refresh} />}
      {!config.data && !config.error && <Loading />}
      {config.data &&
        groups.map((group) => {
          const shown = group.settings.filter((setting) => stored.has(setting.path));
          return shown.length === 0 ? null : (
            <Card key={group.title} bare title={group.title}>
              <div class="settings">
                {shown.map((setting) => (
                  <Setting key={setting.path} setting={setting} stored={stored.get(setting.path)!} text={edits.get(setting.path) ?? textOf(stored.get(setting.path)!)} onChange={(text) => edit(setting.path, text)} />
                ))}
              </div>
            </Card>
          );
        })}
      {error && <Trouble error={error} />}
      {edits.size > 0 && (
        <div class="save-bar" role="region" aria-label={t('Unsaved')}>
          <span>{t('Unsaved: {n}', { n: edits.size })}</span>
          <span class="row tight">
            <Button
              onClick={() => {
                setEdits(new Map());
                forget();
              }}
            >
              {t('Discard')}
            </Button>
            <Button kind="primary" busy={busy} onClick={save}>
              {t('Save')}
            </Button>
          </span>
        </div>
      )}
    </>
  );
}

function Setting({ setting, stored, text, onChange }: { setting: Known; stored: Leaf; text: string; onChange: (text: string) => void }) {
  const id = `setting-${setting.path}`;
  const { fallback } = setting;
  const options = typeof stored === 'boolean' ? ['true', 'false'] : setting.options;
  const told = (value: string): string => (value === 'true' ? t('yes') : value === 'false' ? t('no') : value);
  const isDefault = fallback === undefined || textOf(fallback) === text;
  return (
    <div class="setting">
      <div>
        <label for={id}>
          <strong>{setting.name}</strong> {setting.name !== setting.path && <code class="muted">{setting.path}</code>}
        </label>
        {setting.effect && <p class="effect">{setting.effect}</p>}
      </div>
      <div>
        {options ? (
          <select id={id} value={text} onChange={(event) => onChange(event.currentTarget.value)}>
            {options.map((option) => (
              <option key={option} value={option}>
                {told(option)}
              </option>
            ))}
          </select>
        ) : setting.isJson ? (
          <textarea id={id} class="code" rows={3} value={text} spellcheck={false} onInput={(event) => onChange(event.currentTarget.value)} />
        ) : (
          <input id={id} type={(typeof stored === 'number' ? 'number' : 'text') as 'text'} value={text} spellcheck={false} onInput={(event) => onChange(event.currentTarget.value)} />
        )}
        {fallback !== undefined && (
          <div class="default">
            <span class="break">{t('Default: {value}', { value: told(textOf(fallback)) })}</span>
            {!isDefault && (
              <button type="button" class="link" onClick={() => onChange(textOf(fallback))}>
                {t('Use it')}
              </button>
            )}
          </div>
        )}
      </div>
    </div>
  );
}

function leaves(values: Values, whole: Set<string>, path: string[] = []): Map<string, Leaf> {
  const found = new Map<string, Leaf>();
  for (const [name, value] of Object.entries(values)) {
    const here = [...path, name];
    if (isObject(value) && !whole.has(here.join('.'))) for (const [below, leaf] of leaves(value, whole, here)) found.set(below, leaf);
    else found.set(here.join('.'), value);
  }
  return found;
}

function put(values: Values, [name, ...rest]: string[], value: Leaf): void {
  if (name === undefined) return;
  const inner = values[name];
  if (rest.length === 0) values[name] = value;
  else if (inner !== undefined && isObject(inner)) put(inner, rest, value);
}

const isObject = (value: SettingValue): value is Values => typeof value === 'object' && value !== null && !Array.isArray(value);

function textOf(value: Leaf): string {
  if (value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value, null, 1).replace(/\n\s*/g, ' ') : String(value);
}

/** Of the kind that the stored one has. */
function valueOf(path: string, text: string, stored: Leaf): Leaf {
  if (typeof stored === 'boolean') return text === 'true';
  if (typeof stored === 'number') return Number(text);
  const trimmed = text.trim();
  if (stored === null || typeof stored === 'object') {
    if (trimmed === '') return null;
  } else if (!/^[{[]/.test(trimmed)) {
    return text;
  }
  try {
    return JSON.parse(trimmed) as Leaf;
  } catch (error) {
    throw new ApiError(400, t('{name} is not valid JSON: {why}', { name: path, why: (error as Error).message }), 'page', path);
  }
}
