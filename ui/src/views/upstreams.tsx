// The services that answer, which models each has, and the names that clients may use.
import { useEffect, useState } from 'preact/hooks';
import { call, pathOf } from '../api';
import { Confirm, Dialog, SubmitOrCancel, useAction } from '../components/dialog';
import { Pairs, type Pair, mapOf, pairsOf } from '../components/pairs';
import { Badge, Button, Card, Check, Empty, Input, Loading, Notice, PageHead, Select, TextArea, Trouble } from '../components/parts';
import { number } from '../format';
import { t } from '../prefs';
import { presets, useConfig } from '../store';
import { say } from '../toasts';
import type { Config, Kind, Upstream } from '../types';

/** One of the document, or a built-in one that has no entry there. */
type Shown = Pick<Upstream, 'id' | 'kind' | 'base_url'> & { entry?: Upstream; name?: string };

export function Upstreams() {
  const config = useConfig();
  const [form, setForm] = useState<Shown | 'new'>();
  const [doomed, setDoomed] = useState<string>();
  const saved = async (): Promise<void> => {
    setForm(undefined);
    say(t('Saved'));
    await config.refresh();
  };
  const add = (
    <Button kind="primary" icon="plus" onClick={() => setForm('new')}>
      {t('Add a service')}
    </Button>
  );
  return (
    <>
      <PageHead title={t('Upstreams')} actions={add}>
        {t('The services that answer. Several may have the same model: then all their accounts are one pool for it.')}
      </PageHead>
      {config.error && <Trouble error={config.error} retry={config.refresh} />}
      {!config.data && !config.error && <Loading />}
      {config.data && (
        <>
          <div class="columns">
            {listed(config.data).map((upstream) => (
              <UpstreamCard key={upstream.id} upstream={upstream} accounts={config.data!.accounts.filter((account) => account.upstream === upstream.id).length} onEdit={() => setForm(upstream)} onDelete={() => setDoomed(upstream.id)} />
            ))}
          </div>
          {listed(config.data).length === 0 && (
            <Card bare>
              <Empty icon="upstreams" title={t('No service yet')} action={add} />
            </Card>
          )}
          <Aliases config={config.data} onSaved={config.refresh} />
        </>
      )}
      {form && <UpstreamForm shown={form === 'new' ? undefined : form} onClose={() => setForm(undefined)} onSaved={saved} />}
      {doomed && (
        <Confirm
          title={t('Delete?')}
          action={t('Delete')}
          onClose={() => setDoomed(undefined)}
          onConfirm={async () => {
            await call('DELETE', pathOf('upstreams', doomed));
            say(t('Deleted: {n}', { n: 1 }));
            await config.refresh();
          }}
        >
          {t('{names} will be deleted. Its accounts must be gone before, unless it is built in.', { names: doomed })}
        </Confirm>
      )}
    </>
  );
}

function listed(config: Config): Shown[] {
  const own = config.upstreams.map((entry) => ({ ...entry, entry, name: presets().find((preset) => preset.id === entry.id)?.name }));
  return [...own, ...presets().filter((preset) => !config.upstreams.some((upstream) => upstream.id === preset.id))];
}

const kindNames = (): Record<Kind, string> => ({ openai: t('OpenAI’s format'), 'deepseek-web': t('DeepSeek web chat'), 'volcengine-console': t('Volcengine console') });

function UpstreamCard({ upstream, accounts, onEdit, onDelete }: { upstream: Shown; accounts: number; onEdit: () => void; onDelete: () => void }) {
  const { id, kind, base_url, entry, name } = upstream;
  const models = entry?.models ?? [];
  const mapped = Object.keys(entry?.model_mapping ?? {}).length;
  const isNameless = entry?.kind === 'openai' && models.length === 0 && mapped === 0 && !entry.default_model;
  return (
    <section class="card">
      <div class="card-head">
        <h2 class="break">{id}</h2>
        {entry ? <Badge tone={entry.enabled ? 'good' : 'idle'}>{entry.enabled ? t('On') : t('Off')}</Badge> : <Badge tone={accounts > 0 ? 'good' : 'idle'}>{t('built in')}</Badge>}
      </div>
      <div class="card-body stack tight">
        <span class="muted small">{name ?? kindNames()[kind]}</span>
        {base_url && <span class="mono break">{base_url}</span>}
        <span class="small">
          {t('Accounts: {n}', { n: number(accounts) })}
          {mapped > 0 && ` · ${t('Names mapped: {n}', { n: mapped })}`}
          {entry?.default_model && ` · ${t('takes every other name')}`}
        </span>
        {models.length > 0 && (
          <div class="row tight">
            {models.slice(0, 6).map((model) => (
              <span class="chip" key={model}>
                {model}
              </span>
            ))}
            {models.length > 6 && <span class="muted small">{t('and {n} more', { n: models.length - 6 })}</span>}
          </div>
        )}
        {isNameless && <Notice tone="warn">{t('No models yet: nobody can ask for one. Edit it to name them, or fetch them.')}</Notice>}
        {!entry && <p class="muted small">{t('Needs no entry: add an account, and it serves.')}</p>}
        {entry?.direct && <p class="small">{t('Open to callers with a credential of their own.')}</p>}
        <div class="row tight">
          <Button small icon="edit" onClick={onEdit}>
            {entry ? t('Edit') : t('Change')}
          </Button>
          {entry && <Button small kind="plain" icon="trash" label={t('Delete {name}', { name: id })} onClick={onDelete} />}
        </div>
      </div>
    </section>
  );
}

function UpstreamForm({ shown, onClose, onSaved }: { shown?: Shown; onClose: () => void; onSaved: () => void }) {
  const entry = shown?.entry;
  const [fields, setFields] = useState({
    id: shown?.id ?? '',
    kind: shown?.kind ?? ('openai' as Kind),
    base_url: shown?.base_url ?? '',
    models: entry?.models.join('\n') ?? '',
    default_model: entry?.default_model ?? '',
    timeout_s: String(entry?.timeout_s ?? ''),
    max_tokens: String(entry?.max_tokens ?? ''),
    reasoning: entry?.reasoning ?? '',
    direct: entry?.direct ?? false,
    images: entry?.images ?? true,
    enabled: entry?.enabled ?? true,
  });
  const [mapping, setMapping] = useState<Pair[]>(pairsOf(entry?.model_mapping ?? {}));
  const { busy, error, run } = useAction();
  const loading = useAction();
  const set = <Name extends keyof typeof fields>(name: Name) => (value: (typeof fields)[Name]): void => setFields((old) => ({ ...old, [name]: value }));
  const isPreset = presets().some((preset) => preset.id === fields.id);

  const save = (): Promise<unknown> =>
    run(async () => {
      const models = fields.models.split(/[\s,]+/).filter(Boolean);
      const orNull = (text: string): string | null => text || null;
      const body = {
        kind: fields.kind,
        ...(fields.base_url && { base_url: fields.base_url }),
        ...((models.length > 0 || entry || !isPreset) && { models }),
        default_model: orNull(fields.default_model),
        ...(fields.timeout_s && { timeout_s: Number(fields.timeout_s) }),
        max_tokens: fields.max_tokens ? Number(fields.max_tokens) : null,
        reasoning: orNull(fields.reasoning),
        direct: fields.direct,
        images: fields.images,
        enabled: fields.enabled,
      };
      if (entry) {
        // A merge patch keeps what it does not name: names that are gone are named as null.
        const gone = Object.fromEntries(Object.keys(entry.model_mapping).map((name) => [name, null]));
        await call('PATCH', pathOf('upstreams', entry.id), { body: { ...body, model_mapping: { ...gone, ...mapOf(mapping) } } });
      } else {
        await call('POST', '/admin/upstreams', { body: { ...withoutNulls(body), id: fields.id, model_mapping: mapOf(mapping) } });
      }
      onSaved();
    });
  const fetchModels = (): Promise<unknown> =>
    loading.run(async () => {
      const { models } = await call<{ models: string[] }>('GET', `${pathOf('upstreams', fields.id)}/models`);
      const known = fields.models.split(/\s+/).filter(Boolean);
      set('models')([...new Set([...known, ...models])].join('\n'));
    });

  return (
    <Dialog
      title={shown ? t('Edit {name}', { name: shown.id }) : t('Add a service')}
      onClose={onClose}
      onSubmit={save}
      footer={<SubmitOrCancel label={t('Save')} busy={busy} onCancel={onClose} />}
    >
      {!shown && (
        <div class="grid-2">
          <Input label={t('Name of the service')} hint={t('A short word of yours')} focus required value={fields.id} onChange={(value) => set('id')(value.trim())} />
          <Select label={t('Kind')} value={fields.kind} options={Object.entries(kindNames())} onChange={(value) => set('kind')(value as Kind)} />
        </div>
      )}
      <Input label={t('URL')} type="url" hint={fields.kind === 'openai' ? t('With or without /v1') : undefined} placeholder="https://api.example.com" required={fields.kind === 'openai'} value={fields.base_url} onChange={(value) => set('base_url')(value.trim())} />
      <div class="stack tight">
        <TextArea label={t('Models')} code rows={4} hint={isPreset && !entry ? t('Empty: those that Weir knows. One per line; * stands for anything') : t('One per line; * stands for anything')} value={fields.models} onChange={set('models')} />
        {entry && (
          <div>
            <Button small icon="imports" busy={loading.busy} onClick={fetchModels}>
              {t('Fetch from the service')}
            </Button>
          </div>
        )}
        {loading.error && <Trouble error={loading.error} />}
      </div>
      <fieldset class="stack tight">
        <legend>{t('Names mapped')}</legend>
        <p class="muted small">{t('What callers ask for, and what the service calls it.')}</p>
        <Pairs pairs={mapping} onChange={setMapping} from={t('Asked for')} to={t('Sent as')} placeholder={['deepseek-r1', 'ep-20250218144306-sshj5']} />
      </fieldset>
      <details>
        <summary>{t('More')}</summary>
        <div class="stack">
          <div class="grid-2">
            <Input label={t('Model for every other name')} code hint={t('Serves every name that nobody else has')} value={fields.default_model} onChange={set('default_model')} />
            <Input label={t('Longest plain answer, s')} type="number" placeholder="600" value={fields.timeout_s} onChange={set('timeout_s')} />
            <Input label={t('Largest max_tokens')} type="number" placeholder={t('no limit')} hint={t('Larger ones are lowered, in translated calls')} value={fields.max_tokens} onChange={set('max_tokens')} />
            <Select
              label={t('How it is told to think')}
              value={fields.reasoning}
              options={[
                ['', t('by its address')],
                ['thinking', 'thinking'],
                ['effort', 'reasoning_effort'],
              ]}
              onChange={(value) => set('reasoning')(value as typeof fields.reasoning)}
            />
          </div>
          <Check label={t('Takes pictures')} checked={fields.images} onChange={set('images')} />
          <Check label={t('Open to callers with a credential of their own')} checked={fields.direct} onChange={set('direct')} />
          {fields.direct && <Notice tone="warn">{t('Anyone with a credential of this service can then use your Worker.')}</Notice>}
          <Check label={t('Switched on')} checked={fields.enabled} onChange={set('enabled')} />
        </div>
      </details>
      {error && <Trouble error={error} />}
    </Dialog>
  );
}

const withoutNulls = (fields: Record<string, unknown>): Record<string, unknown> => Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));

/** Model names that clients may use for others. */
function Aliases({ config, onSaved }: { config: Config; onSaved: () => Promise<void> }) {
  const [pairs, setPairs] = useState<Pair[]>(pairsOf(config.aliases));
  const { busy, error, run } = useAction();
  useEffect(() => setPairs(pairsOf(config.aliases)), [config]);
  const isChanged = JSON.stringify(mapOf(pairs)) !== JSON.stringify(config.aliases);
  const save = (): Promise<unknown> =>
    run(async () => {
      await call('POST', '/admin/config', { body: { aliases: mapOf(pairs) } });
      say(t('Saved'));
      await onSaved();
    });
  return (
    <Card
      title={t('Aliases')}
      side={
        <Button small kind={isChanged ? 'primary' : undefined} disabled={!isChanged} busy={busy} onClick={save}>
          {t('Save')}
        </Button>
      }
    >
      <div class="stack">
        <p class="muted">{t('Names that clients may use for other models; * stands for anything, and the longest name that fits counts.')}</p>
        <Pairs pairs={pairs} onChange={setPairs} from={t('Asked for')} to={t('Stands for')} placeholder={['claude-*opus*', 'deepseek-reasoner']} />
        {error && <Trouble error={error} />}
      </div>
    </Card>
  );
}
