// Every setting with its value, its default and what it does. What this page does not know by name is shown all the same.
import { useState } from 'preact/hooks';
import { call } from '../api';
import { useAction } from '../components/dialog';
import { Button, Card, Loading, PageHead, Trouble } from '../components/parts';
import { t } from '../prefs';
import { useConfig } from '../store';
import { say } from '../toasts';
import type { SettingValue, Settings as Values } from '../types';
import { type Known, knownSettings } from './settings-known';

type Leaf = Exclude<SettingValue, Values>;

export function Settings() {
  const config = useConfig();
  const [edits, setEdits] = useState<Map<string, string>>(new Map());
  const { busy, error, run, forget } = useAction();
  const stored = config.data ? leaves(config.data.settings) : new Map<string, Leaf>();
  const known = knownSettings();
  const groups = [...known, { title: t('Others'), settings: [...stored.keys()].filter((path) => !known.some((group) => group.settings.some((each) => each.path === path))).map((path): Known => ({ path, name: path, effect: '' })) }];

  const edit = (path: string, text: string): void => {
    const next = new Map(edits);
    if (text === String(stored.get(path))) next.delete(path);
    else next.set(path, text);
    setEdits(next);
  };
  const save = (): Promise<unknown> =>
    run(async () => {
      const settings = structuredClone(config.data!.settings);
      for (const [path, text] of edits) put(settings, path.split('.'), valueOf(text, stored.get(path)));
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
                  <Setting key={setting.path} setting={setting} stored={stored.get(setting.path)!} text={edits.get(setting.path) ?? String(stored.get(setting.path))} onChange={(text) => edit(setting.path, text)} />
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
  const isDefault = fallback === undefined || String(fallback) === text;
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
        ) : (
          <input id={id} type={(typeof stored === 'number' ? 'number' : 'text') as 'text'} value={text} spellcheck={false} onInput={(event) => onChange(event.currentTarget.value)} />
        )}
        {fallback !== undefined && (
          <div class="default">
            <span class="break">{t('Default: {value}', { value: told(String(fallback)) })}</span>
            {!isDefault && (
              <button type="button" class="link" onClick={() => onChange(String(fallback))}>
                {t('Use it')}
              </button>
            )}
          </div>
        )}
      </div>
    </div>
  );
}

function leaves(values: Values, path: string[] = []): Map<string, Leaf> {
  const found = new Map<string, Leaf>();
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'object') for (const [below, leaf] of leaves(value, [...path, name])) found.set(below, leaf);
    else found.set([...path, name].join('.'), value);
  }
  return found;
}

function put(values: Values, [name, ...rest]: string[], value: Leaf): void {
  if (name === undefined) return;
  const inner = values[name];
  if (rest.length === 0) values[name] = value;
  else if (typeof inner === 'object') put(inner, rest, value);
}

/** Of the kind that the stored one has. */
function valueOf(text: string, stored?: Leaf): Leaf {
  if (typeof stored === 'boolean') return text === 'true';
  return typeof stored === 'number' ? Number(text) : text;
}
