// Moving in from another gateway, taking everything along, and going back to how it was.
import { useState } from 'preact/hooks';
import { call, open } from '../api';
import { Confirm, Dialog, useAction } from '../components/dialog';
import { ActionsHead, Badge, Button, Card, Check, Empty, Field, Loading, Notice, PageHead, TextArea, Trouble } from '../components/parts';
import { number, time } from '../format';
import { useLive } from '../live';
import { t } from '../prefs';
import { change, trouble } from '../said';
import { say } from '../toasts';
import type { Backup, BackupDiff, ImportReport } from '../types';
import { Vercel } from './vercel';

export function Imports() {
  const backups = useLive<{ version: number; backups: Backup[] }>('/admin/backups');
  return (
    <>
      <PageHead title={t('Import and backups')}>{t('Bring accounts and keys along from another gateway, and go back where a change was a mistake.')}</PageHead>
      <Import onChanged={backups.refresh} />
      <Export />
      <Card bare title={t('Backups')}>
        {backups.error && (
          <div class="card-body">
            <Trouble error={backups.error} retry={backups.refresh} />
          </div>
        )}
        {!backups.data && !backups.error && (
          <div class="card-body">
            <Loading />
          </div>
        )}
        {backups.data && <Backups current={backups.data.version} backups={backups.data.backups} onChanged={backups.refresh} />}
      </Card>
      <Vercel />
    </>
  );
}

const formats = 'ds2api · deepseek2api · api-together · volcengine_deepseek2api · OpenAI-VolcanoProxy · Weir · user:password · CSV';

function Import({ onChanged }: { onChanged: () => Promise<void> }) {
  const [text, setText] = useState('');
  const [report, setReport] = useState<ImportReport>();
  const [imports, setImports] = useState(0); // a file input that is not made anew says nothing of the same file
  const { busy, error, run } = useAction();
  const edit = (value: string): void => {
    setText(value);
    setReport(undefined);
  };
  const send = (dryRun: boolean): Promise<unknown> =>
    run(async () => {
      const made = await call<ImportReport>('POST', `/admin/import${dryRun ? '?dry_run=true' : ''}`, { raw: text });
      setReport(made);
      if (dryRun) return;
      setText('');
      setImports((done) => done + 1);
      say(t('Imported: {n}', { n: made.counts.added + made.counts.changed }));
      await onChanged();
    });
  return (
    <Card title={t('Import')}>
      <div class="stack">
        <div class="grid-2">
          <Field label={t('File')} hint={formats}>
            {(attributes) => <input {...attributes} key={imports} type="file" accept=".json,.txt,.csv,.py,.js,.ts" onChange={async (event) => edit((await event.currentTarget.files?.[0]?.text()) ?? '')} />}
          </Field>
        </div>
        <TextArea label={t('or its text')} code rows={6} placeholder={'user@example.com:password\n…'} value={text} onChange={edit} />
        <div class="row">
          <Button kind={report?.dry_run ? undefined : 'primary'} disabled={!text.trim()} busy={busy} onClick={() => send(true)}>
            {t('Preview')}
          </Button>
          {report?.dry_run && (
            <Button kind="primary" icon="imports" busy={busy} disabled={report.counts.added + report.counts.changed === 0} onClick={() => send(false)}>
              {t('Import {n}', { n: report.counts.added + report.counts.changed })}
            </Button>
          )}
          <span class="muted small">{t('The preview stores nothing. What is there already stays as it is.')}</span>
        </div>
        {error && <Trouble error={error} />}
        {report && <Report report={report} onUndone={onChanged} />}
      </div>
    </Card>
  );
}

function Report({ report, onUndone }: { report: ImportReport; onUndone: () => Promise<void> }) {
  const [isUndone, setUndone] = useState(false);
  const { busy, error, run } = useAction();
  const { added, changed, duplicate, failed } = report.counts;
  const undo = (): Promise<unknown> =>
    run(async () => {
      await call('POST', `/admin/backups/${report.backup}/restore`);
      setUndone(true);
      say(t('Undone'));
      await onUndone();
    });
  const tones = { added: 'good', changed: 'good', duplicate: 'idle', failed: 'bad' } as const;
  const names = { added: report.dry_run ? t('new') : t('added'), changed: t('changed'), duplicate: t('known already'), failed: t('failed') };
  return (
    <div class="stack">
      <Notice
        tone={failed > 0 ? 'warn' : 'good'}
        action={
          report.backup !== null &&
          !isUndone && (
            <Button small icon="reset" busy={busy} onClick={undo}>
              {t('Undo')}
            </Button>
          )
        }
      >
        <strong>{report.format}</strong> · {t('{added} new, {changed} changed, {duplicate} known already, {failed} failed', { added: number(added), changed: number(changed), duplicate: number(duplicate), failed: number(failed) })}
        {isUndone && ` · ${t('Undone')}`}
      </Notice>
      {error && <Trouble error={error} />}
      {report.notes.map((note) => (
        <p key={note} class="small">
          {note}
        </p>
      ))}
      {report.ignored.length > 0 && (
        <p class="muted small break">
          {t('Not used:')} {report.ignored.join(', ')}
        </p>
      )}
      <div class="table-wrap">
        <table class="table stacks">
          <thead>
            <tr>
              <th>{t('Where')}</th>
              <th>{t('Result')}</th>
              <th>{t('What')}</th>
            </tr>
          </thead>
          <tbody>
            {report.results.map((line, index) => (
              <tr key={index}>
                <td class="mono break">{line.from}</td>
                <td data-label={t('Result')}>
                  <Badge tone={tones[line.status]}>{names[line.status]}</Badge>
                </td>
                <td class="break">{line.error ? trouble(line.error) : [line.list, line.id].filter(Boolean).join(' · ')}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}

function Export() {
  const [withSecrets, setWithSecrets] = useState(false);
  const { busy, error, run } = useAction();
  const download = (): Promise<unknown> =>
    run(async () => {
      const response = await open('GET', `/admin/export?secrets=${withSecrets}`);
      const address = URL.createObjectURL(new Blob([JSON.stringify(await response.json(), null, 2)], { type: 'application/json' }));
      const link = document.createElement('a');
      link.href = address;
      link.download = withSecrets ? 'weir-with-secrets.json' : 'weir.json';
      link.click();
      URL.revokeObjectURL(address);
    });
  return (
    <Card title={t('Export')}>
      <div class="stack">
        <div class="row">
          <Button icon="imports" busy={busy} onClick={download}>
            {t('Download the configuration')}
          </Button>
          <Check label={t('with the accounts’ secrets in plain text')} checked={withSecrets} onChange={setWithSecrets} />
        </div>
        {withSecrets && <Notice tone="warn">{t('Whoever has this file has your accounts. Client keys are in it as well, sealed: only a Worker of the same MASTER_KEY can read them.')}</Notice>}
        {error && <Trouble error={error} />}
      </div>
    </Card>
  );
}

function Backups({ current, backups, onChanged }: { current: number; backups: Backup[]; onChanged: () => Promise<void> }) {
  const [shown, setShown] = useState<number>();
  const [restored, setRestored] = useState<number>();
  if (backups.length === 0) {
    return (
      <Empty icon="imports" title={t('No backup yet')}>
        {t('Every change of the configuration makes one by itself.')}
      </Empty>
    );
  }
  return (
    <>
      <table class="table stacks">
        <thead>
          <tr>
            <th>{t('Version')}</th>
            <th>{t('When')}</th>
            <th>{t('What')}</th>
            <th>{t('Who')}</th>
            <ActionsHead />
          </tr>
        </thead>
        <tbody>
          {backups.map((backup) => (
            <tr key={backup.version}>
              <td class="nums">
                {backup.version} {backup.version === current && <Badge tone="good">{t('now')}</Badge>}
              </td>
              <td data-label={t('When')} class="nums">
                {backup.at ? time(backup.at) : '–'}
              </td>
              <td data-label={t('What')} class="break">
                {change(backup.change)}
              </td>
              <td data-label={t('Who')}>{backup.actor}</td>
              <td>
                {backup.version !== current && (
                  <div class="actions">
                    <Button small onClick={() => setShown(backup.version)}>
                      {t('Compare')}
                    </Button>
                    <Button small onClick={() => setRestored(backup.version)}>
                      {t('Restore')}
                    </Button>
                  </div>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {shown !== undefined && <Diff version={shown} onClose={() => setShown(undefined)} />}
      {restored !== undefined && (
        <Confirm
          title={t('Restore version {n}?', { n: restored })}
          action={t('Restore')}
          onClose={() => setRestored(undefined)}
          onConfirm={async () => {
            await call('POST', `/admin/backups/${restored}/restore`);
            say(t('Restored'));
            await onChanged();
          }}
        >
          {t('The configuration becomes what it was then. The present one stays among the backups.')}
        </Confirm>
      )}
    </>
  );
}

function Diff({ version, onClose }: { version: number; onClose: () => void }) {
  const diff = useLive<BackupDiff>(`/admin/backups/${version}`);
  const told = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value, null, 1));
  return (
    <Dialog title={t('From now back to version {n}', { n: version })} onClose={onClose}>
      {diff.error && <Trouble error={diff.error} />}
      {!diff.data && !diff.error && <Loading />}
      {diff.data?.changes.length === 0 && <p>{t('They are the same.')}</p>}
      <dl class="stack diff">
        {diff.data?.changes.map((change) => (
          <div key={change.path.join('/')} class="stack tight">
            <dt class="mono break">{change.path.join(' › ')}</dt>
            {'from' in change && (
              <dd class="removed mono break">
                <span aria-hidden="true">− </span>
                <span class="visually-hidden">{t('now')}: </span>
                {told(change.from)}
              </dd>
            )}
            {'to' in change && (
              <dd class="added mono break">
                <span aria-hidden="true">+ </span>
                <span class="visually-hidden">{t('then')}: </span>
                {told(change.to)}
              </dd>
            )}
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
