// Adding an account, and the service it belongs to where that is new; or changing one.
import { useState } from 'preact/hooks';
import { call, pathOf } from '../api';
import { Dialog, SubmitOrCancel, useAction } from '../components/dialog';
import { LimitFields, type LimitTexts, limitTexts, limitsOf } from '../components/limits';
import { Check, Input, Notice, TextArea, Trouble } from '../components/parts';
import { t } from '../prefs';
import { presets } from '../store';
import type { Account, Config, Kind, Upstream } from '../types';

interface Props {
  config: Config;
  account?: Account;
  onClose: () => void;
  onSaved: () => void;
}

const newService = '+';

interface Service {
  id: string;
  name: string;
  about: string;
  kind: Kind;
}

function servicesOf(config: Config): Service[] {
  const known = presets();
  const own = config.upstreams
    .filter((upstream) => !known.some((preset) => preset.id === upstream.id))
    .map(({ id, kind, base_url }) => ({ id, kind, name: id, about: base_url }));
  const other: Service = { id: newService, kind: 'openai', name: t('Another service'), about: t('Anything in OpenAI’s format') };
  return [...own, ...known, other];
}

export function AccountForm({ config, account, onClose, onSaved }: Props) {
  const services = servicesOf(config);
  const [serviceId, setServiceId] = useState(account?.upstream ?? services[0]?.id ?? newService);
  // What is stored already, where what came after it failed: another try changes that.
  const [stored, setStored] = useState<{ upstream?: string; account?: string }>({ account: account?.id });
  const [service, setService] = useState({ id: '', base_url: '', models: '' });
  const [secrets, setSecrets] = useState({ api_key: '', email: account?.email ?? '', mobile: account?.mobile ?? '', password: '', token: '', web_id: account?.web_id ?? '', authorization: '' });
  const [id, setId] = useState(account?.id ?? '');
  const [limits, setLimits] = useState<LimitTexts>(limitTexts(account?.limits));
  const [weight, setWeight] = useState(String(account?.weight ?? 1));
  const [priority, setPriority] = useState(String(account?.priority ?? 0));
  const [enabled, setEnabled] = useState(account?.enabled ?? true);
  const { busy, error, run } = useAction();

  const kind = services.find((each) => each.id === serviceId)?.kind ?? 'openai';
  const isNew = serviceId === newService;
  const secret = (name: keyof typeof secrets) => ({
    value: secrets[name],
    onChange: (value: string) => setSecrets({ ...secrets, [name]: value.trim() }),
  });
  const kept = account ? t('Leave it empty to keep the stored one.') : undefined;

  const save = (): Promise<unknown> =>
    run(async () => {
      const fields: Record<string, unknown> = { limits: limitsOf(limits), weight: Number(weight), priority: Number(priority), enabled };
      for (const name of fieldsOf(kind)) if (secrets[name]) fields[name] = secrets[name];
      const models = service.models.split(/[\s,]+/).filter(Boolean);
      if (isNew) await storeService({ kind: 'openai', base_url: service.base_url, models });
      const upstream = isNew ? service.id : serviceId;
      if (stored.account) {
        await call('PATCH', pathOf('accounts', stored.account), { body: { ...fields, upstream } });
      } else {
        const made = await call<{ account: Account }>('POST', '/admin/accounts', { body: { ...fields, upstream, ...(id && { id }) } });
        setStored({ upstream, account: made.account.id });
      }
      if (isNew && models.length === 0) await takeModels();
      onSaved();
    });

  const storeService = async (fields: Partial<Upstream>): Promise<void> => {
    if (stored.upstream === service.id) return void (await call('PATCH', pathOf('upstreams', service.id), { body: fields }));
    await call('POST', '/admin/upstreams', { body: { ...fields, id: service.id } });
    setStored((old) => ({ ...old, upstream: service.id }));
  };

  /** Without models nobody could call the service: it is asked which it has. */
  const takeModels = async (): Promise<void> => {
    const { models } = await call<{ models: string[] }>('GET', `${pathOf('upstreams', service.id)}/models`);
    await call('PATCH', pathOf('upstreams', service.id), { body: { models } });
  };
  const close = !account && stored.upstream ? onSaved : onClose;

  return (
    <Dialog
      title={account ? t('Edit {name}', { name: account.id }) : t('Add an account')}
      onClose={close}
      onSubmit={save}
      footer={<SubmitOrCancel label={account ? t('Save') : t('Add')} busy={busy} onCancel={close} />}
    >
      {!account && (
        <fieldset>
          <legend class="visually-hidden">{t('Service')}</legend>
          <div class="choices">
            {services.map((each) => (
              <label class="choice" key={each.id}>
                <input type="radio" name="service" value={each.id} checked={serviceId === each.id} onChange={() => setServiceId(each.id)} />
                <span class="break">
                  <strong>{each.name}</strong>
                  <span class="muted small">{each.about}</span>
                </span>
              </label>
            ))}
          </div>
        </fieldset>
      )}
      {isNew && (
        <div class="stack">
          <div class="grid-2">
            <Input label={t('Name of the service')} hint={t('A short word of yours')} placeholder="openai" required value={service.id} onChange={(value) => setService({ ...service, id: value.trim() })} />
            <Input label={t('URL')} type="url" hint={t('With or without /v1')} placeholder="https://api.example.com" required value={service.base_url} onChange={(value) => setService({ ...service, base_url: value.trim() })} />
          </div>
          <TextArea label={t('Models')} hint={t('Empty: all that the service lists. One per line; * stands for anything')} placeholder={'gpt-4o\no3-*'} code rows={3} value={service.models} onChange={(models) => setService({ ...service, models })} />
        </div>
      )}
      {kind === 'openai' && <Input label={t('API key')} type="password" code required={!account} hint={kept ?? t('It is sealed before it is stored, and never shown again.')} {...secret('api_key')} />}
      {kind === 'deepseek-web' && (
        <>
          <Notice>{t('Experimental: prefer the DeepSeek platform where you can. One call at a time, at a gentle pace.')}</Notice>
          <div class="grid-2">
            <Input label={t('E-mail')} type="email" {...secret('email')} />
            <Input label={t('or mobile number')} {...secret('mobile')} />
          </div>
          <div class="grid-2">
            <Input label={t('Password')} type="password" autocomplete="new-password" hint={kept} {...secret('password')} />
            <Input label={t('or token')} type="password" code hint={t('userToken in the web app’s local storage')} {...secret('token')} />
          </div>
        </>
      )}
      {kind === 'volcengine-console' && (
        <div class="grid-2">
          <Input label={t('Web id')} code required {...secret('web_id')} />
          <Input label={t('Authorization')} type="password" code hint={kept} {...secret('authorization')} />
        </div>
      )}
      <details open={Boolean(account)}>
        <summary>{t('Limits and order')}</summary>
        <div class="stack">
          <LimitFields texts={limits} onChange={setLimits} names={['concurrency', 'rpm', 'rpd', 'tpm', 'min_gap_ms', 'max_uses']} />
          <div class="grid-2">
            <Input label={t('Priority')} type="number" hint={t('Higher is served first')} value={priority} onChange={setPriority} />
            <Input label={t('Weight')} type="number" hint={t('Its share within a priority')} value={weight} onChange={setWeight} />
            {!account && <Input label={t('Name of the account')} hint={t('Made for you where empty')} value={id} onChange={(value) => setId(value.trim())} />}
          </div>
          <Check label={t('Switched on')} checked={enabled} onChange={setEnabled} />
        </div>
      </details>
      {error && <Trouble error={error} />}
    </Dialog>
  );
}

type SecretName = 'api_key' | 'email' | 'mobile' | 'password' | 'token' | 'web_id' | 'authorization';

const fieldsOf = (kind: Kind): SecretName[] =>
  kind === 'openai' ? ['api_key'] : kind === 'deepseek-web' ? ['email', 'mobile', 'password', 'token'] : ['web_id', 'authorization'];
