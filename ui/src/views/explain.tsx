// Who would serve a request, and why others would not. Nothing is sent.
import { useState } from 'preact/hooks';
import { call } from '../api';
import { useAction } from '../components/dialog';
import { Badge, Button, Card, Form, Input, Notice, PageHead, Select, TextArea, Trouble } from '../components/parts';
import { countdown, duration, number } from '../format';
import { t } from '../prefs';
import { reason } from '../said';
import { isExact, useConfig } from '../store';
import type { Explained } from '../types';

export function Explain() {
  const config = useConfig();
  const [model, setModel] = useState('');
  const [key, setKey] = useState('');
  const [message, setMessage] = useState('Hello');
  const [found, setFound] = useState<Explained>();
  const { busy, error, run } = useAction();
  const names = [...new Set([...(config.data?.upstreams.flatMap((upstream) => [...upstream.models, ...Object.keys(upstream.model_mapping)]) ?? []), ...Object.keys(config.data?.aliases ?? {})])].filter(isExact);
  const ask = (): Promise<unknown> =>
    run(async () => {
      setFound(undefined);
      setFound(await call<Explained>('POST', '/admin/explain', { body: { model, messages: [{ role: 'user', content: message }], ...(key && { key }) } }));
    });
  return (
    <>
      <PageHead title={t('Explain')}>{t('Which account would serve a request now, and why the others would not. Nothing is sent, and nothing changes.')}</PageHead>
      <Card>
        <Form class="stack" onSubmit={ask}>
          <div class="grid-2">
            <div>
              <Input label={t('Model')} code required placeholder="deepseek-chat" value={model} onChange={setModel} />
              {names.length > 0 && (
                <div class="row tight suggestions">
                  {names.slice(0, 5).map((name) => (
                    <button type="button" class="chip pick" key={name} onClick={() => setModel(name)}>
                      {name}
                    </button>
                  ))}
                </div>
              )}
            </div>
            <Select label={t('As the key')} value={key} options={[['', t('any')], ...(config.data?.keys.map((each): [string, string] => [each.id, each.name]) ?? [])]} hint={t('Its limits and models count')} onChange={setKey} />
          </div>
          <TextArea label={t('Message')} rows={2} value={message} onChange={setMessage} hint={t('Its length counts against limits on tokens, and a known conversation prefers its account.')} />
          <div>
            <Button kind="primary" type="submit" icon="explain" busy={busy} disabled={!model}>
              {t('Explain')}
            </Button>
          </div>
        </Form>
      </Card>
      {error && <Trouble error={error} />}
      {found && <Answer found={found} />}
    </>
  );
}

function Answer({ found }: { found: Explained }) {
  const { serves, wait_ms, obstacle, considered } = found.explanation;
  const route = found.route.map(({ upstream, model }) => `${upstream} (${model})`).join(', ');
  return (
    <>
      {!found.allowed && <Notice tone="bad">{t('This key may not use the model {model}.', { model: found.model })}</Notice>}
      {found.allowed && serves && <Notice tone="good">{t('{account} would serve it now.', { account: serves })}</Notice>}
      {found.allowed && !serves && (
        <Notice tone="warn">
          {wait_ms === null ? t('Nobody would serve it.') : t('It would wait at least {time}.', { time: duration(wait_ms) })} {obstacle}
        </Notice>
      )}
      <Card bare title={t('Considered')} side={<span class="muted small">{t('about {n} tokens · route: {route}', { n: number(found.tokens), route })}</span>}>
        <table class="table stacks">
          <thead>
            <tr>
              <th>{t('Account')}</th>
              <th>{t('State')}</th>
              <th>{t('Why not')}</th>
            </tr>
          </thead>
          <tbody>
            {considered.map((account) => (
              <tr key={account.id}>
                <td>
                  <strong class="break">{account.id}</strong> <span class="muted small">{account.upstream}</span>
                </td>
                <td data-label={t('State')}>
                  {account.id === serves ? <Badge tone="good">{t('Serves')}</Badge> : account.eligible ? <Badge tone="good">{t('Could serve')}</Badge> : <Badge tone="warn">{t('Passed over')}</Badge>}
                </td>
                <td class="break">
                  {reason(account.code, account.passed_over)}
                  {account.until_ms !== null && account.until_ms > Date.now() && <span class="muted"> · {t('for {time}', { time: countdown(account.until_ms - Date.now()) })}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {considered.length === 0 && <div class="card-body muted">{t('No account of these services.')}</div>}
      </Card>
    </>
  );
}
