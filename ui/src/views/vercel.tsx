// The sync of the pool with a ds2api on Vercel.
import { useEffect, useState } from 'preact/hooks';
import { call } from '../api';
import { useAction } from '../components/dialog';
import { Badge, Button, Card, Form, Input, Loading, Trouble } from '../components/parts';
import { time } from '../format';
import { useLive } from '../live';
import { t } from '../prefs';
import { say } from '../toasts';
import type { VercelState } from '../types';

export function Vercel() {
  const state = useLive<VercelState>('/admin/vercel/config');
  const [fields, setFields] = useState({ vercel_token: '', project_id: '', team_id: '' });
  const { busy, error, run } = useAction();
  const known = state.data;
  useEffect(() => {
    if (known) setFields((old) => ({ ...old, project_id: known.project_id ?? '', team_id: known.team_id ?? '' }));
  }, [known]);
  const set = (name: keyof typeof fields) => (value: string): void => setFields((old) => ({ ...old, [name]: value.trim() }));
  const sync = (): Promise<unknown> =>
    run(async () => {
      const body = Object.fromEntries(Object.entries(fields).filter(([, value]) => value));
      const { deployment_url } = await call<{ deployment_url: string }>('POST', '/admin/vercel/sync', { body });
      setFields((old) => ({ ...old, vercel_token: '' }));
      say(t('Synced: {url}', { url: deployment_url }));
      await state.refresh();
    });
  return (
    <Card title={t('Sync to Vercel')} side={known?.has_synced_before && <Badge tone={known.synced ? 'good' : 'warn'}>{known.synced ? t('in step') : t('behind')}</Badge>}>
      {!known && !state.error && <Loading />}
      {state.error && <Trouble error={state.error} retry={state.refresh} />}
      {known && (
        <Form class="stack" onSubmit={sync}>
          <p class="muted">{t('Brings the enabled web accounts and the aliases to a ds2api on Vercel, and deploys it. Its own fields and keys stay.')}</p>
          <div class="grid-2">
            <Input label={t('Vercel token')} type="password" code required={!known.has_token} hint={known.has_token ? t('Leave it empty to keep the stored one.') : t('Kept, sealed, after the first success.')} value={fields.vercel_token} onChange={set('vercel_token')} />
            <Input label={t('Project id')} code required value={fields.project_id} onChange={set('project_id')} />
            <Input label={t('Team id')} code hint={t('Only where the project belongs to a team')} value={fields.team_id} onChange={set('team_id')} />
          </div>
          {error && <Trouble error={error} />}
          <div class="row">
            <Button type="submit" busy={busy}>
              {t('Sync')}
            </Button>
            {known.last_sync_time !== null && <span class="muted small">{t('Last synced {time}', { time: time(known.last_sync_time) })}</span>}
          </div>
        </Form>
      )}
    </Card>
  );
}
