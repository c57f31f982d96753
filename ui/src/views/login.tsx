// The operator's password; or, on a Worker that is not set up, what to do first.
import { useEffect, useState } from 'preact/hooks';
import { ApiError, call, session } from '../api';
import { Brand, Prefs } from '../app';
import { useAction } from '../components/dialog';
import { Button, Code, Form, Input, Notice, Trouble } from '../components/parts';
import { countdown } from '../format';
import { t } from '../prefs';
import { trouble } from '../said';

const setUp = 'npx wrangler secret put MASTER_KEY\nnpx wrangler secret put ADMIN_KEY';

export function Login({ onEnter }: { onEnter: () => void }) {
  const [password, setPassword] = useState('');
  const [unready, setUnready] = useState<ApiError>();
  const { busy, error, run } = useAction();

  useEffect(() => {
    document.title = 'Weir';
    // Asked without a session: 401 where the Worker is set up, 503 where it is not.
    call('GET', '/admin/queue/status', { key: null }).catch((failure) => failure.status === 503 && setUnready(failure));
  }, []);

  const enter = (): Promise<unknown> =>
    run(async () => {
      const { token } = await call<{ token: string }>('POST', '/admin/login', { body: { key: password }, key: null });
      session.set(token);
      onEnter();
    });

  return (
    <div class="gate">
      <div class="gate-bar">
        <Prefs />
      </div>
      <main class={`gate-card ${unready ? 'wide' : ''}`}>
        <Brand />
        {unready ? (
          <div class="stack">
            <h1>{t('Two secrets first')}</h1>
            <Notice tone="warn">{trouble(unready)}</Notice>
            <p class="muted">{t('MASTER_KEY seals your accounts: 32 or more random characters, and keep a copy. ADMIN_KEY is your password for this page. Set both in a terminal, in the folder of Weir, then load this page again:')}</p>
            <Code label={t('Commands')}>{setUp}</Code>
            <p class="muted small">{t('For a Worker on your own machine, both belong into the file .dev.vars.')}</p>
            <Button icon="reset" onClick={() => location.reload()}>
              {t('Load again')}
            </Button>
          </div>
        ) : (
          <Form class="stack" onSubmit={enter}>
            <div>
              <h1>{t('Log in')}</h1>
              <p class="muted">{t('With the password that you set as ADMIN_KEY.')}</p>
            </div>
            <Input label={t('Password')} type="password" autocomplete="current-password" focus required value={password} onChange={setPassword} />
            {error && <Failure error={error} />}
            <Button kind="primary" type="submit" wide busy={busy} disabled={!password}>
              {t('Log in')}
            </Button>
            <p class="small muted">
              {t('You hold a client key?')} <a href="/me">{t('See its use and limits')}</a>
            </p>
          </Form>
        )}
      </main>
    </div>
  );
}

function Failure({ error }: { error: ApiError }) {
  if (error.status === 401) return <Notice tone="bad">{t('This password is wrong.')}</Notice>;
  if (error.status === 429) return <Notice tone="bad">{t('Too many wrong passwords. Try again in {time}.', { time: countdown((error.retryAfter ?? 60) * 1000) })}</Notice>;
  return <Trouble error={error} />;
}
