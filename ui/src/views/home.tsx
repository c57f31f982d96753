// What the pool is doing: figures, their course, and what wants attention.
import { useState } from 'preact/hooks';
import { Chart } from '../components/chart';
import { Badge, Bar, Button, Card, Loading, Notice, PageHead, Segmented, Trouble } from '../components/parts';
import { countdown, day, duration, number, percent, short } from '../format';
import { useLive, useNow } from '../live';
import { t } from '../prefs';
import { go } from '../route';
import { reason } from '../said';
import { stateName, stateTone, useConfig, usePool, wantsAttention } from '../store';
import type { ClientKey, Figures, PlanMeter, PoolStatus, Stats } from '../types';
import { Checklist } from './checklist';

type Window = '24h' | '7d' | '30d';

export function Home() {
  const [window, setWindow] = useState<Window>('24h');
  const config = useConfig();
  const pool = usePool();
  const stats = useLive<Stats>(`/admin/stats?window=${window}`, 15_000);
  const plan = useLive<{ meters: PlanMeter[] }>('/admin/plan', 60_000);
  const served = (stats.data?.requests ?? 0) > 0 || (pool.data?.accounts.some((account) => account.last_used_ms !== null) ?? false);

  return (
    <>
      <PageHead
        title={t('Home')}
        actions={
          <Segmented
            label={t('Period')}
            value={window}
            options={[
              { value: '24h', shown: t('24 hours') },
              { value: '7d', shown: t('7 days') },
              { value: '30d', shown: t('30 days') },
            ]}
            onChange={setWindow}
          />
        }
      />
      {config.error && <Trouble error={config.error} retry={config.refresh} />}
      {config.data && pool.data && <Checklist config={config.data} served={served} />}
      {pool.error && !config.error && <Trouble error={pool.error} retry={pool.refresh} />}
      {!pool.data && !pool.error && <Loading />}
      {pool.data && <Now pool={pool.data} stats={stats.data} />}
      {stats.error && stats.error.isMissing && <Notice>{t('This Worker keeps no statistics yet; the figures above are live ones.')}</Notice>}
      {stats.error && !stats.error.isMissing && <Trouble error={stats.error} retry={stats.refresh} />}
      {stats.data && (
        <Card
          bare
          title={t('Requests')}
          side={
            <span class="legend" aria-hidden="true">
              <span>{t('Requests')}</span>
              <span class="errors">{t('Errors')}</span>
            </span>
          }
        >
          <Chart stats={stats.data} />
        </Card>
      )}
      <div class="columns">
        {pool.data && config.data && <Attention pool={pool.data} keys={config.data.keys} />}
        {stats.data && stats.data.requests > 0 && <Times stats={stats.data} />}
        {plan.data && <Plan meters={plan.data.meters} />}
      </div>
      {stats.data && stats.data.requests > 0 && (
        <div class="columns">
          <Ranks title={t('By model')} items={stats.data.models} />
          <Ranks title={t('By account')} items={stats.data.accounts} />
          <Ranks title={t('By key')} items={stats.data.keys} />
        </div>
      )}
    </>
  );
}

function Now({ pool, stats }: { pool: PoolStatus; stats?: Stats }) {
  const sum = (of: (account: PoolStatus['accounts'][number]) => number): number => pool.accounts.reduce((all, account) => all + of(account), 0);
  const inFlight = sum((account) => account.in_flight);
  return (
    <div class="cards">
      {stats && <Figure label={t('Requests')} value={short(stats.requests)} detail={[t('{n} failed', { n: number(stats.failed) }), ...(stats.strangers > 0 ? [t('{n} more without a good key', { n: number(stats.strangers) })] : [])].join(' · ')} />}
      {stats && <Figure label={t('Success')} value={stats.success_rate === null ? '–' : percent(stats.success_rate)} detail={t('{n} left early', { n: number(stats.cancelled) })} />}
      {stats && <Figure label={t('Tokens')} value={short(stats.tokens.prompt + stats.tokens.completion)} detail={t('{in} in, {out} out', { in: short(stats.tokens.prompt), out: short(stats.tokens.completion) })} />}
      <Figure label={t('In flight')} value={number(inFlight)} detail={t('{n} waiting', { n: number(pool.queue_size) })} />
      <Figure label={t('Accounts')} value={`${number(pool.healthy_accounts)} / ${number(pool.total_accounts)}`} detail={t('can take a call now')} />
      {!stats && <Figure label={t('Calls today')} value={short(sum((account) => account.usage.rpd))} detail={t('{n} in the last minute', { n: number(sum((account) => account.usage.rpm)) })} />}
    </div>
  );
}

function Figure({ label, value, detail }: { label: string; value: string; detail: string }) {
  return (
    <section class="card figure">
      <span class="muted small">{label}</span>
      <span class="value">{value}</span>
      <span class="muted small">{detail}</span>
    </section>
  );
}

function Attention({ pool, keys }: { pool: PoolStatus; keys: ClientKey[] }) {
  const troubled = pool.accounts.filter(wantsAttention);
  const now = useNow(troubled.some((account) => account.until_ms !== null));
  const week = 7 * 86_400_000;
  const ending = keys.filter((key) => key.enabled && key.expires_at && Date.parse(key.expires_at) < now + week);
  const isIdle = pool.total_accounts > 0 && pool.healthy_accounts === 0;
  const isOfKeys = troubled.length === 0 && !isIdle;
  const isQuiet = isOfKeys && ending.length === 0;
  return (
    <Card
      title={t('Needs attention')}
      side={
        !isQuiet && (
          <Button small onClick={() => go(isOfKeys ? 'keys' : 'accounts')}>
            {isOfKeys ? t('Keys') : t('Accounts')}
          </Button>
        )
      }
    >
      {isQuiet ? (
        <p class="muted">{t('Nothing. All is well.')}</p>
      ) : (
        <ul class="attention">
          {isIdle && (
            <li>
              <span>{t('No account can take a call now.')}</span>
            </li>
          )}
          {troubled.slice(0, 6).map((account) => (
            <li key={account.id}>
              <span class="grow">
                <strong class="break">{account.id}</strong>
                <span class="muted small break"> {reason(account.code, account.reason)}</span>
              </span>
              <Badge tone={stateTone(account.state)}>
                {stateName(account.state)}
                {account.until_ms !== null && account.until_ms > now && ` · ${countdown(account.until_ms - now)}`}
              </Badge>
            </li>
          ))}
          {ending.map((key) => (
            <li key={key.id}>
              <span class="grow break">{t('Key {name}', { name: key.name })}</span>
              <Badge tone="warn">{Date.parse(key.expires_at!) < now ? t('Ended {day}', { day: day(Date.parse(key.expires_at!)) }) : t('ends in {time}', { time: countdown(Date.parse(key.expires_at!) - now) })}</Badge>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Times({ stats }: { stats: Stats }) {
  const told = (value: number | null): string => (value === null ? '–' : duration(value));
  return (
    <Card bare title={t('How long it takes')}>
      <table class="table nums">
        <thead>
          <tr>
            <th>
              <span class="visually-hidden">{t('What')}</span>
            </th>
            <th class="end">{t('mean')}</th>
            <th class="end">{t('median')}</th>
            <th class="end">{t('p95')}</th>
          </tr>
        </thead>
        <tbody>
          {([[t('First token'), stats.ttft_ms], [t('Whole answer'), stats.latency_ms]] as const).map(([name, times]) => (
            <tr key={name}>
              <td>{name}</td>
              <td class="end nowrap">{told(times.mean)}</td>
              <td class="end nowrap">{told(times.p50)}</td>
              <td class="end nowrap">{told(times.p95)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

function Plan({ meters }: { meters: PlanMeter[] }) {
  const [plan, setPlan] = useState<'free' | 'paid'>('free');
  const names: Record<string, string> = {
    requests: t('Worker requests'),
    durable_object_requests: t('Durable Object requests'),
    kv_reads: t('KV reads'),
    kv_writes: t('KV writes'),
    rows_written: t('Rows written'),
    rows_read: t('Rows read'),
  };
  const isFree = plan === 'free';
  return (
    <Card
      title={t('Cloudflare’s plan')}
      side={
        <Segmented
          label={t('Plan')}
          value={plan}
          options={[
            { value: 'free', shown: t('Free') },
            { value: 'paid', shown: t('Paid') },
          ]}
          onChange={setPlan}
        />
      }
    >
      <div class="ranks">
        {meters.map(({ name, today, month, free, paid }) => (
          <div class="rank" key={name}>
            <span class="of">
              <span>{names[name] ?? name}</span>
              <span class="muted nums">{isFree ? `${short(today)} / ${short(free.per_day)}` : `${short(month)} / ${short(paid.per_month)}`}</span>
            </span>
            <Bar share={isFree ? free.share : paid.share} />
          </div>
        ))}
        <p class="muted small">
          {isFree ? t('Today, of what the free plan has.') : t('This month, of what the paid plan includes.')} {t('Weir’s own count, an estimate.')}
        </p>
      </div>
    </Card>
  );
}

function Ranks({ title, items }: { title: string; items: (Figures & { name: string; display_name?: string })[] }) {
  const most = Math.max(1, ...items.map((item) => item.requests));
  return (
    <Card title={title}>
      <div class="ranks">
        {items.slice(0, 6).map((item) => (
          <div class="rank" key={item.name}>
            <span class="of">
              <span class="break">{item.display_name ?? (item.name || t('(own credential)'))}</span>
              <span class="muted nums nowrap">
                {short(item.requests)}
                {item.failed > 0 && ` · ${t('{n} failed', { n: short(item.failed) })}`}
              </span>
            </span>
            <span class="bar" aria-hidden="true">
              <i style={{ width: `${(item.requests / most) * 100}%` }} />
            </span>
          </div>
        ))}
        {items.length === 0 && <p class="muted">{t('Nothing yet')}</p>}
      </div>
    </Card>
  );
}
