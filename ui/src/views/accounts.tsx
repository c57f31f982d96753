// The accounts: how each is doing, and everything that can be done to one or to several.
import { useState } from 'preact/hooks';
import { call, pathOf } from '../api';
import { Confirm, useAction } from '../components/dialog';
import { ActionsHead, Badge, Button, Card, Empty, Loading, Meter, PageHead, Trouble } from '../components/parts';
import { ago, countdown } from '../format';
import { useNow } from '../live';
import { t } from '../prefs';
import { takeForm } from '../route';
import { reason } from '../said';
import { loginOf, stateName, stateTone, useConfig, usePool, wantsAttention } from '../store';
import { say } from '../toasts';
import type { Account, AccountStatus } from '../types';
import { AccountForm } from './account-form';
import { type TestResult, TestResults, testAccounts } from './account-tests';
import { NextStep } from './checklist';

type Filter = 'all' | 'ready' | 'attention' | 'off';

interface Row {
  account: Account;
  status?: AccountStatus;
}

export function Accounts() {
  const config = useConfig();
  const pool = usePool();
  const [search, setSearch] = useState('');
  const [filter, setFilter] = useState<Filter>('all');
  const [chosen, setChosen] = useState<Set<string>>(new Set());
  const [form, setForm] = useState<Account | 'new' | undefined>(takeForm);
  const [doomed, setDoomed] = useState<string[]>();
  const [tests, setTests] = useState<Map<string, TestResult>>();
  const action = useAction();

  const reload = (): Promise<unknown> => Promise.all([config.refresh(), pool.refresh()]);
  const rows: Row[] = (config.data?.accounts ?? []).map((account) => ({
    account,
    status: pool.data?.accounts.find((status) => status.id === account.id),
  }));
  const visible = rows.filter((row) => matches(row, search, filter));
  const picked = visible.filter((row) => chosen.has(row.account.id)).map((row) => row.account.id);

  /** The same change to several, one after the other: each is a version of the document. */
  const change = (ids: string[], enabled: boolean): Promise<unknown> =>
    action.run(async () => {
      try {
        for (const id of ids) await call('PATCH', pathOf('accounts', id), { body: { enabled } });
        say(enabled ? t('Switched on: {n}', { n: ids.length }) : t('Switched off: {n}', { n: ids.length }));
        setChosen(new Set());
      } finally {
        await reload();
      }
    });
  const remove = async (ids: string[]): Promise<void> => {
    for (const id of ids) await call('DELETE', pathOf('accounts', id));
    setChosen(new Set());
    say(t('Deleted: {n}', { n: ids.length }));
    await reload();
  };
  const test = (ids: string[]): Promise<unknown> =>
    action.run(async () => {
      setTests(undefined);
      await testAccounts(ids, setTests);
      await pool.refresh();
    });
  const reset = (ids: string[]): Promise<unknown> =>
    action.run(async () => {
      for (const id of ids) await call('POST', `${pathOf('accounts', id)}/reset`);
      say(t('Reset: {n}', { n: ids.length }));
      await pool.refresh();
    });

  const toggle = (id: string, on: boolean): void => {
    const next = new Set(chosen);
    if (on) next.add(id);
    else next.delete(id);
    setChosen(next);
  };

  return (
    <>
      <PageHead
        title={t('Accounts')}
        actions={
          <>
            {rows.length > 0 && (
              <Button icon="test" busy={action.busy} onClick={() => test(rows.filter((row) => row.account.enabled).map((row) => row.account.id))}>
                {t('Test all')}
              </Button>
            )}
            <Button kind="primary" icon="plus" onClick={() => setForm('new')}>
              {t('Add an account')}
            </Button>
          </>
        }
      >
        {t('Each is one credential of one service, with limits of its own. Together they are the pool.')}
      </PageHead>
      {config.error && <Trouble error={config.error} retry={reload} />}
      {pool.error && !config.error && <Trouble error={pool.error} />}
      {action.error && <Trouble error={action.error} />}
      {rows.length > 0 && config.data && <NextStep config={config.data} />}
      {tests && <TestResults results={tests} onClose={() => setTests(undefined)} />}
      {!config.data && !config.error && <Loading />}
      {config.data && rows.length === 0 && (
        <Card bare>
          <Empty
            icon="accounts"
            title={t('No account yet')}
            action={
              <Button kind="primary" icon="plus" onClick={() => setForm('new')}>
                {t('Add an account')}
              </Button>
            }
          >
            {t('An API key of any service in OpenAI’s format will do. You can also bring all accounts from another gateway, under “Import and backups”.')}
          </Empty>
        </Card>
      )}
      {rows.length > 0 && (
        <Card bare>
          <div class="card-body">
            <div class="toolbar">
              <input class="search" type="search" aria-label={t('Search')} placeholder={t('Search')} value={search} onInput={(event) => setSearch(event.currentTarget.value)} />
              <select aria-label={t('Show')} value={filter} onChange={(event) => setFilter(event.currentTarget.value as Filter)}>
                <option value="all">{t('All ({n})', { n: rows.length })}</option>
                <option value="ready">{t('Available')}</option>
                <option value="attention">{t('Needs attention')}</option>
                <option value="off">{t('Off')}</option>
              </select>
              {picked.length > 0 && <Several count={picked.length} busy={action.busy} on={() => change(picked, true)} off={() => change(picked, false)} test={() => test(picked)} reset={() => reset(picked)} remove={() => setDoomed(picked)} />}
            </div>
          </div>
          <table class="table stacks">
            <thead>
              <tr>
                <th>
                  <input
                    type="checkbox"
                    aria-label={t('Choose all')}
                    checked={picked.length > 0 && picked.length === visible.length}
                    onChange={(event) => setChosen(event.currentTarget.checked ? new Set(visible.map((row) => row.account.id)) : new Set())}
                  />
                </th>
                <th>{t('Account')}</th>
                <th>{t('State')}</th>
                <th>{t('Use')}</th>
                <th>{t('Last used')}</th>
                <ActionsHead />
              </tr>
            </thead>
            <tbody>
              {visible.map((row) => (
                <AccountRow
                  key={row.account.id}
                  row={row}
                  chosen={chosen.has(row.account.id)}
                  busy={action.busy}
                  onChoose={(on) => toggle(row.account.id, on)}
                  onTest={() => test([row.account.id])}
                  onReset={() => reset([row.account.id])}
                  onEdit={() => setForm(row.account)}
                  onSwitch={() => change([row.account.id], !row.account.enabled)}
                  onDelete={() => setDoomed([row.account.id])}
                />
              ))}
            </tbody>
          </table>
          {visible.length === 0 && <Empty icon="accounts" title={t('Nothing fits')} />}
        </Card>
      )}
      {form && config.data && (
        <AccountForm
          config={config.data}
          account={form === 'new' ? undefined : form}
          onClose={() => setForm(undefined)}
          onSaved={async () => {
            setForm(undefined);
            say(t('Saved'));
            await reload();
          }}
        />
      )}
      {doomed && (
        <Confirm title={t('Delete?')} action={t('Delete')} onClose={() => setDoomed(undefined)} onConfirm={() => remove(doomed)}>
          {t('{names} will be deleted, with the credential. Calls under way end as they are.', { names: doomed.join(', ') })}
        </Confirm>
      )}
    </>
  );
}

function matches({ account, status }: Row, search: string, filter: Filter): boolean {
  const text = `${account.id} ${loginOf(account)} ${account.upstream} ${status ? reason(status.code, status.reason) : ''}`.toLowerCase();
  if (!search.toLowerCase().split(/\s+/).every((word) => text.includes(word))) return false;
  if (filter === 'ready') return status?.available ?? false;
  if (filter === 'attention') return status !== undefined && wantsAttention(status);
  return filter === 'all' || !account.enabled;
}

interface SeveralProps {
  count: number;
  busy: boolean;
  on: () => unknown;
  off: () => unknown;
  test: () => unknown;
  reset: () => unknown;
  remove: () => unknown;
}

function Several({ count, busy, on, off, test, reset, remove }: SeveralProps) {
  return (
    <div class="row tight" role="group" aria-label={t('{n} chosen', { n: count })}>
      <span class="muted small">{t('{n} chosen', { n: count })}</span>
      <Button small busy={busy} onClick={on}>
        {t('Switch on')}
      </Button>
      <Button small busy={busy} onClick={off}>
        {t('Switch off')}
      </Button>
      <Button small busy={busy} onClick={test}>
        {t('Test')}
      </Button>
      <Button small busy={busy} onClick={reset}>
        {t('Reset')}
      </Button>
      <Button small kind="danger" busy={busy} onClick={remove}>
        {t('Delete')}
      </Button>
    </div>
  );
}

interface AccountRowProps {
  row: Row;
  chosen: boolean;
  busy: boolean;
  onChoose: (on: boolean) => void;
  onTest: () => unknown;
  onReset: () => unknown;
  onEdit: () => unknown;
  onSwitch: () => unknown;
  onDelete: () => unknown;
}

function AccountRow({ row: { account, status }, chosen, busy, onChoose, onTest, onReset, onEdit, onSwitch, onDelete }: AccountRowProps) {
  const now = useNow(Boolean(status?.until_ms || status?.last_used_ms));
  const login = loginOf(account);
  const mayReset = status !== undefined && (wantsAttention(status) || status.limits.max_uses !== undefined);
  return (
    <tr class={chosen ? 'chosen' : undefined}>
      <td>
        <input type="checkbox" aria-label={t('Choose {name}', { name: account.id })} checked={chosen} onChange={(event) => onChoose(event.currentTarget.checked)} />
      </td>
      <td class="named">
        <strong class="break">{account.id}</strong>
        <div class="muted small break">
          {account.upstream}
          {login && login !== account.id && ` · ${login}`}
        </div>
      </td>
      <td data-label={t('State')}>
        <StateOf status={status} now={now} />
      </td>
      <td data-label={t('Use')}>{status && <Meters status={status} />}</td>
      <td data-label={t('Last used')} class="muted small nowrap">
        {status?.last_used_ms ? ago(status.last_used_ms, now) : t('never')}
      </td>
      <td>
        <div class="actions">
          <Button kind="plain" small icon="test" label={t('Test {name}', { name: account.id })} disabled={busy} onClick={onTest} />
          {mayReset && <Button kind="plain" small icon="reset" label={t('Reset {name}: its uses count from 0, and what was wrong is forgotten', { name: account.id })} disabled={busy} onClick={onReset} />}
          <Button kind="plain" small icon="edit" label={t('Edit {name}', { name: account.id })} onClick={onEdit} />
          <Button kind="plain" small icon="power" label={account.enabled ? t('Switch off {name}', { name: account.id }) : t('Switch on {name}', { name: account.id })} pressed={account.enabled} disabled={busy} onClick={onSwitch} />
          <Button kind="plain" small icon="trash" label={t('Delete {name}', { name: account.id })} onClick={onDelete} />
        </div>
      </td>
    </tr>
  );
}

function StateOf({ status, now }: { status?: AccountStatus; now: number }) {
  if (!status) return <span class="muted">…</span>;
  const left = status.until_ms ? status.until_ms - now : 0;
  return (
    <div class="stack tight">
      <span>
        <Badge tone={stateTone(status.state)}>
          {stateName(status.state)}
          {left > 0 && ` · ${countdown(left)}`}
        </Badge>
      </span>
      {status.reason && status.state !== 'off' && <span class="muted small break">{reason(status.code, status.reason)}</span>}
    </div>
  );
}

function Meters({ status: { in_flight, limits, usage } }: { status: AccountStatus }) {
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

