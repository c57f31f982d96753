// The latest requests, each with its receipt: who could not serve it, who tried, how long everything took.
import { Fragment } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError, call } from '../api';
import { useAction } from '../components/dialog';
import { Badge, Button, Card, Code, Empty, Loading, Missing, PageHead, Segmented, Trouble } from '../components/parts';
import { clock, duration, number, time } from '../format';
import { whileRead } from '../live';
import { t } from '../prefs';
import { outcome, reason, trouble } from '../said';
import type { AuditEntry, LogEntry } from '../types';

type Which = 'all' | 'ok' | 'error' | 'audit';
const refreshMs = 5_000;
const pageSize = 50;

export function Logs() {
  const [which, setWhich] = useState<Which>('all');
  return (
    <>
      <PageHead
        title={t('Logs')}
        actions={
          <Segmented
            label={t('Show')}
            value={which}
            options={[
              { value: 'all', shown: t('Requests') },
              { value: 'ok', shown: t('Answered') },
              { value: 'error', shown: t('Failed') },
              { value: 'audit', shown: t('Changes') },
            ]}
            onChange={setWhich}
          />
        }
      >
        {which === 'audit' ? t('Who changed what, and when; and logins that were refused.') : t('The latest requests. What was said is not kept, unless a setting says so.')}
      </PageHead>
      {which === 'audit' ? <Audit /> : <Requests key={which} status={which} />}
    </>
  );
}

/** A log's newest entries, kept fresh, and older ones on demand. */
function useLog<Entry extends { seq: number }>(path: string, list: string) {
  const [entries, setEntries] = useState<Entry[]>();
  const [isMore, setMore] = useState(false);
  const [error, setError] = useState<ApiError>();
  const older = useAction();
  useEffect(() => {
    let isOver = false;
    const load = async (): Promise<void> => {
      try {
        const answer = await call<Record<string, Entry[]>>('GET', `${path}limit=${pageSize}`);
        if (isOver) return;
        const fresh = answer[list] ?? [];
        const oldest = fresh.at(-1)?.seq ?? 0;
        setEntries((old) => [...fresh, ...(old ?? []).filter((entry) => entry.seq < oldest)]);
        setMore((already) => already || fresh.length >= pageSize);
        setError(undefined);
      } catch (failure) {
        if (!isOver && failure instanceof ApiError) setError(failure);
      }
    };
    void load();
    const stop = whileRead(refreshMs, () => void load());
    return () => {
      isOver = true;
      stop();
    };
  }, [path, list]);
  const more = (): Promise<unknown> =>
    older.run(async () => {
      const answer = await call<Record<string, Entry[]>>('GET', `${path}limit=${pageSize}&before=${entries?.at(-1)?.seq}`);
      const found = answer[list] ?? [];
      setEntries((old) => [...(old ?? []), ...found]);
      setMore(found.length >= pageSize);
    });
  return { entries, error: error ?? older.error, isMore, more, busy: older.busy };
}

function Requests({ status }: { status: 'all' | 'ok' | 'error' }) {
  const log = useLog<LogEntry>(`/admin/logs?${status === 'all' ? '' : `status=${status}&`}`, 'logs');
  const [open, setOpen] = useState<number>();
  if (log.error?.isMissing) return <Missing />;
  return (
    <>
      {log.error && <Trouble error={log.error} />}
      {!log.entries && !log.error && <Loading />}
      {log.entries && (
        <Card bare>
          {log.entries.length === 0 ? (
            <Empty icon="logs" title={t('Nothing yet')}>
              {t('Requests appear here about a second after their end.')}
            </Empty>
          ) : (
            <table class="table stacks">
              <thead>
                <tr>
                  <th>{t('Time')}</th>
                  <th>{t('Status')}</th>
                  <th>{t('Model')}</th>
                  <th>{t('Key')}</th>
                  <th>{t('Account')}</th>
                  <th class="end">{t('First token')}</th>
                  <th class="end">{t('In all')}</th>
                  <th class="end">{t('Tokens')}</th>
                </tr>
              </thead>
              <tbody>
                {log.entries.map((entry) => (
                  <Fragment key={entry.seq}>
                    <tr>
                      <td>
                        <button type="button" class="link nums nowrap" aria-expanded={open === entry.seq} title={time(entry.time)} onClick={() => setOpen(open === entry.seq ? undefined : entry.seq)}>
                          {clock(entry.time)}
                        </button>
                      </td>
                      <td data-label={t('Status')}>
                        <StatusBadge status={entry.status} />
                      </td>
                      <td data-label={t('Model')} class="break">
                        {entry.model || <span class="muted">{entry.endpoint}</span>}
                      </td>
                      <td data-label={t('Key')} class="break">
                        {entry.key_name || entry.key || (entry.stranger ? t('(no good key)') : t('(own credential)'))}
                        {entry.address && <span class="muted small"> · {entry.address}</span>}
                      </td>
                      <td data-label={t('Account')} class="break">
                        {entry.account ?? '–'}
                        {entry.attempts > 1 && <span class="muted small"> · {t('{n} tries', { n: entry.attempts })}</span>}
                      </td>
                      <td data-label={t('First token')} class="end nums nowrap">
                        {entry.ttft_ms === null ? '–' : duration(entry.ttft_ms)}
                      </td>
                      <td data-label={t('In all')} class="end nums nowrap">
                        {duration(entry.total_ms)}
                      </td>
                      <td data-label={t('Tokens')} class="end nums nowrap">
                        {entry.tokens ? `${number(entry.tokens.prompt)} → ${number(entry.tokens.completion)}` : '–'}
                      </td>
                    </tr>
                    {open === entry.seq && (
                      <tr>
                        <td colSpan={8}>
                          <Receipt entry={entry} />
                        </td>
                      </tr>
                    )}
                  </Fragment>
                ))}
              </tbody>
            </table>
          )}
        </Card>
      )}
      {log.entries && log.entries.length > 0 && log.isMore && (
        <div>
          <Button busy={log.busy} onClick={log.more}>
            {t('Older ones')}
          </Button>
        </div>
      )}
    </>
  );
}

const StatusBadge = ({ status }: { status: number }) => <Badge tone={status < 400 ? 'good' : status === 499 ? 'idle' : status < 500 ? 'warn' : 'bad'}>{status === 499 ? t('left') : String(status)}</Badge>;

function Receipt({ entry }: { entry: LogEntry }) {
  const { tries, candidates = [], more_candidates: more } = entry.receipt;
  const facts: [string, string][] = [
    [t('Request'), entry.id],
    [t('When'), time(entry.time)],
    [t('Asked by'), `${entry.dialect} · ${entry.endpoint}${entry.stream ? ' · stream' : ''}`],
    [t('Served as'), entry.served_model || '–'],
    [t('In the queue'), duration(entry.wait_ms)],
    ...(entry.tokens ? ([[t('Reasoning, cached'), `${number(entry.tokens.reasoning)}, ${number(entry.tokens.cached)}`]] as [string, string][]) : []),
  ];
  return (
    <div class="receipt">
      <dl class="facts-list">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {entry.error && <p class="break">{trouble(entry.error)}</p>}
      {candidates.length > 0 && (
        <div>
          <h3>{t('Considered')}</h3>
          <ul>
            {candidates.map((account) => (
              <li key={account.account} class="break">
                <strong>{account.account}</strong> <span class="muted">{account.code ? reason(account.code, account.reason) : t('Could serve')}</span>
              </li>
            ))}
            {more > 0 && <li class="muted">{t('and {n} more', { n: number(more) })}</li>}
          </ul>
        </div>
      )}
      {tries.length > 0 && (
        <div>
          <h3>{t('Tried')}</h3>
          <ul>
            {tries.map((tried, index) => (
              <li key={index} class="break">
                <strong>{tried.account}</strong>{' '}
                <span class="muted">
                  {tried.upstream} · {t('waited {wait}, took {took}', { wait: duration(tried.wait_ms), took: duration(tried.ms) })} · {outcome(tried.outcome)}
                  {tried.cause && ` · ${tried.cause}`}
                </span>
              </li>
            ))}
          </ul>
        </div>
      )}
      {entry.request && <Code wrap label={t('Request')}>{entry.request}</Code>}
      {entry.answer && <Code wrap label={t('Answer')}>{entry.answer}</Code>}
    </div>
  );
}

function Audit() {
  const log = useLog<AuditEntry>('/admin/audit?', 'audit');
  if (log.error?.isMissing) return <Missing />;
  return (
    <>
      {log.error && <Trouble error={log.error} />}
      {!log.entries && !log.error && <Loading />}
      {log.entries && (
        <Card bare>
          {log.entries.length === 0 ? (
            <Empty icon="logs" title={t('Nothing yet')} />
          ) : (
            <table class="table stacks">
              <thead>
                <tr>
                  <th>{t('When')}</th>
                  <th>{t('Who')}</th>
                  <th>{t('What')}</th>
                  <th>{t('Fields')}</th>
                  <th>{t('Version')}</th>
                </tr>
              </thead>
              <tbody>
                {log.entries.map((entry) => (
                  <tr key={entry.seq}>
                    <td class="nums nowrap">{time(entry.time)}</td>
                    <td data-label={t('Who')}>{entry.address}</td>
                    <td data-label={t('What')} class="mono break">
                      {entry.method} {entry.path}
                      {entry.id && !entry.path.includes(entry.id) && ` → ${entry.id}`}
                      {(entry.outcome === 'wrong_password' || entry.outcome === 'throttled') && (
                        <div>
                          <Badge tone="warn">{entry.outcome === 'throttled' ? t('had to wait') : t('wrong password')}</Badge>
                          {entry.unnoted ? <span class="muted small"> {t('and {n} more before it', { n: entry.unnoted })}</span> : null}
                        </div>
                      )}
                    </td>
                    <td data-label={t('Fields')} class="break muted small">
                      {entry.fields.join(', ')}
                    </td>
                    <td data-label={t('Version')} class="nums">
                      {entry.version ?? ''}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Card>
      )}
      {log.isMore && (
        <div>
          <Button busy={log.busy} onClick={log.more}>
            {t('Older ones')}
          </Button>
        </div>
      )}
    </>
  );
}
