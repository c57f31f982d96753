// What clients present: made here, shown once.
import { useState } from 'preact/hooks';
import { call, pathOf } from '../api';
import { Confirm, Dialog, SubmitOrCancel, useAction } from '../components/dialog';
import { LimitFields, type LimitTexts, limitTexts, limitsOf } from '../components/limits';
import { ActionsHead, Badge, Button, Card, Check, Code, Empty, Input, Loading, Meter, Notice, PageHead, TextArea, Trouble } from '../components/parts';
import { countdown, day } from '../format';
import { t } from '../prefs';
import { go, takeForm } from '../route';
import { clientKey, useConfig, usePool } from '../store';
import { say } from '../toasts';
import type { ClientKey, KeyStatus } from '../types';

export function Keys() {
  const config = useConfig();
  const pool = usePool();
  const [form, setForm] = useState<ClientKey | 'new' | undefined>(takeForm);
  const [doomed, setDoomed] = useState<ClientKey>();
  const [made, setMade] = useState<string>();
  const action = useAction();
  const reload = (): Promise<unknown> => Promise.all([config.refresh(), pool.refresh()]);
  const keys = config.data?.keys ?? [];
  const turn = ({ id, enabled }: ClientKey): Promise<unknown> =>
    action.run(async () => {
      await call('PATCH', pathOf('keys', id), { body: { enabled: !enabled } });
      await reload();
    });
  const create = (
    <Button kind="primary" icon="plus" onClick={() => setForm('new')}>
      {t('Create a key')}
    </Button>
  );
  return (
    <>
      <PageHead title={t('Keys')} actions={create}>
        {t('What your apps and people present to Weir. Each may have limits, models and an end of its own.')}
      </PageHead>
      {config.error && <Trouble error={config.error} retry={reload} />}
      {action.error && <Trouble error={action.error} />}
      {!config.data && !config.error && <Loading />}
      {config.data && keys.length === 0 && (
        <Card bare>
          <Empty icon="keys" title={t('No key yet')} action={create}>
            {t('Nobody can call Weir before there is one. It is shown once, when you create it.')}
          </Empty>
        </Card>
      )}
      {keys.length > 0 && (
        <Card bare>
          <table class="table stacks">
            <thead>
              <tr>
                <th>{t('Key')}</th>
                <th>{t('State')}</th>
                <th>{t('Models')}</th>
                <th>{t('Use')}</th>
                <ActionsHead />
              </tr>
            </thead>
            <tbody>
              {keys.map((key) => (
                <tr key={key.id}>
                  <td class="named">
                    <strong class="break">{key.name}</strong>
                    {key.id !== key.name && <div class="muted small mono nowrap">{key.id}</div>}
                  </td>
                  <td data-label={t('State')}>
                    <KeyState item={key} />
                  </td>
                  <td data-label={t('Models')}>
                    <span class="row tight">{key.models ? key.models.map((model) => <span class="chip" key={model}>{model}</span>) : <span class="muted">{t('all')}</span>}</span>
                  </td>
                  <td data-label={t('Use')}>
                    <KeyMeters status={pool.data?.keys.find((status) => status.id === key.id)} />
                  </td>
                  <td>
                    <div class="actions">
                      <Button kind="plain" small icon="edit" label={t('Edit {name}', { name: key.name })} onClick={() => setForm(key)} />
                      <Button kind="plain" small icon="power" pressed={key.enabled} label={key.enabled ? t('Switch off {name}', { name: key.name }) : t('Switch on {name}', { name: key.name })} disabled={action.busy} onClick={() => turn(key)} />
                      <Button kind="plain" small icon="trash" label={t('Delete {name}', { name: key.name })} onClick={() => setDoomed(key)} />
                    </div>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Card>
      )}
      {form && (
        <KeyForm
          item={form === 'new' ? undefined : form}
          onClose={() => setForm(undefined)}
          onSaved={async (key) => {
            setForm(undefined);
            setMade(key);
            if (!key) say(t('Saved'));
            await reload();
          }}
        />
      )}
      {made && <ShownOnce text={made} onClose={() => setMade(undefined)} />}
      {doomed && (
        <Confirm
          title={t('Delete?')}
          action={t('Delete')}
          onClose={() => setDoomed(undefined)}
          onConfirm={async () => {
            await call('DELETE', pathOf('keys', doomed.id));
            say(t('Deleted: {n}', { n: 1 }));
            await reload();
          }}
        >
          {t('Whoever uses the key {name} is refused from now on.', { name: doomed.name })}
        </Confirm>
      )}
    </>
  );
}

function KeyState({ item }: { item: ClientKey }) {
  const ends = item.expires_at ? Date.parse(item.expires_at) : undefined;
  if (!item.enabled) return <Badge tone="idle">{t('Off')}</Badge>;
  if (ends !== undefined && ends <= Date.now()) return <Badge tone="bad">{t('Ended {day}', { day: day(ends) })}</Badge>;
  return (
    <span class="stack tight">
      <span>
        <Badge tone="good">{t('Works')}</Badge>
      </span>
      {ends !== undefined && <span class="muted small">{t('ends {day}, in {time}', { day: day(ends), time: countdown(ends - Date.now()) })}</span>}
    </span>
  );
}

export function KeyMeters({ status }: { status?: Pick<KeyStatus, 'in_flight' | 'limits' | 'usage'> }) {
  if (!status) return null;
  const { in_flight, limits, usage } = status;
  return (
    <div class="meters">
      <Meter label={t('in flight')} used={in_flight} limit={limits.concurrency} />
      <Meter label={t('per min')} used={usage.rpm} limit={limits.rpm} />
      <Meter label={t('per day')} used={usage.rpd} limit={limits.rpd} />
      {limits.tpm !== undefined && <Meter label={t('tokens/min')} used={usage.tpm} limit={limits.tpm} />}
      {limits.max_uses !== undefined && <Meter label={t('uses')} used={usage.uses} limit={limits.max_uses} />}
    </div>
  );
}

function ShownOnce({ text, onClose }: { text: string; onClose: () => void }) {
  return (
    <Dialog
      title={t('Your new key')}
      onClose={onClose}
      footer={
        <>
          <Button
            onClick={() => {
              clientKey.set(text);
              go('playground');
            }}
          >
            {t('Try it in the Playground')}
          </Button>
          <Button kind="primary" onClick={onClose}>
            {t('I have copied it')}
          </Button>
        </>
      }
    >
      <Notice tone="warn">{t('Copy it now: it is stored as a hash, and cannot be shown again.')}</Notice>
      <Code wrap label={t('Your new key')}>
        {text}
      </Code>
    </Dialog>
  );
}

function KeyForm({ item, onClose, onSaved }: { item?: ClientKey; onClose: () => void; onSaved: (made?: string) => void }) {
  const [name, setName] = useState(item?.name ?? '');
  const [own, setOwn] = useState('');
  const [models, setModels] = useState(item?.models?.join('\n') ?? '');
  const [limits, setLimits] = useState<LimitTexts>(limitTexts(item?.limits));
  const [ends, setEnds] = useState(item?.expires_at?.slice(0, 10) ?? '');
  const [enabled, setEnabled] = useState(item?.enabled ?? true);
  const { busy, error, run } = useAction();
  const save = (): Promise<unknown> =>
    run(async () => {
      const wanted = models.split(/[\s,]+/).filter(Boolean);
      const unchanged = item?.expires_at && item.expires_at.slice(0, 10) === ends;
      const body = {
        ...(name && { name }),
        models: wanted.length > 0 ? wanted : null,
        limits: limitsOf(limits),
        expires_at: unchanged ? item.expires_at : ends ? `${ends}T23:59:59Z` : null,
        enabled,
      };
      if (item) {
        await call('PATCH', pathOf('keys', item.id), { body });
        return onSaved();
      }
      const { key } = await call<{ key: ClientKey }>('POST', '/admin/keys', { body: { ...body, ...(own && { key: own }) } });
      onSaved(key.key);
    });
  return (
    <Dialog
      title={item ? t('Edit {name}', { name: item.name }) : t('Create a key')}
      onClose={onClose}
      onSubmit={save}
      footer={<SubmitOrCancel label={item ? t('Save') : t('Create')} busy={busy} onCancel={onClose} />}
    >
      <Input label={t('Name')} hint={t('Who or what uses it')} placeholder={t('laptop')} focus value={name} onChange={setName} />
      <details open={Boolean(item)}>
        <summary>{t('Limits, models and end')}</summary>
        <div class="stack">
          <TextArea label={t('Models')} code rows={3} hint={t('One per line; * stands for anything. Empty: all.')} placeholder="deepseek-*" value={models} onChange={setModels} />
          <LimitFields texts={limits} onChange={setLimits} names={['concurrency', 'rpm', 'rpd', 'tpm']} />
          <div class="grid-2">
            <Input label={t('Last day')} type="date" hint={t('Empty: it does not end')} value={ends} onChange={setEnds} />
            {!item && <Input label={t('A key of your own')} type="password" code autocomplete="new-password" hint={t('Empty: a random one is made')} value={own} onChange={setOwn} />}
          </div>
          <Check label={t('Switched on')} checked={enabled} onChange={setEnabled} />
        </div>
      </details>
      {error && <Trouble error={error} />}
    </Dialog>
  );
}
