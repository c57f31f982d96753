// What tests of accounts said: on each one short call, as a client would make it.
import { open } from '../api';
import { Badge, Button, Card } from '../components/parts';
import { duration } from '../format';
import { eventsOf } from '../playground/sse';
import { t } from '../prefs';

export type TestResult = 'running' | { success: boolean; message: string; latency_ms?: number | null; model?: string | null };

/** Tests them, a few at a time; tells each result as it comes. */
export async function testAccounts(ids: string[], tell: (results: Map<string, TestResult>) => void): Promise<void> {
  const results = new Map<string, TestResult>(ids.map((id) => [id, 'running']));
  const response = await open('POST', '/admin/accounts/test-all?stream=true', { body: { ids } });
  tell(new Map(results));
  for await (const { event, data } of eventsOf(response)) {
    if (event === 'done') break;
    const { id, ...result } = JSON.parse(data) as { id: string } & Exclude<TestResult, 'running'>;
    results.set(id, result);
    tell(new Map(results));
  }
  for (const [id, result] of results) if (result === 'running') results.set(id, { success: false, message: t('No result came.') });
  tell(results);
}

export function TestResults({ results, onClose }: { results: Map<string, TestResult>; onClose: () => void }) {
  const done = [...results.values()].filter((result) => result !== 'running').length;
  const good = [...results.values()].filter((result) => result !== 'running' && result.success).length;
  return (
    <Card
      bare
      title={t('Test: {good} of {n} answered', { good, n: results.size })}
      side={
        <span class="row">
          <span class="muted small" role="status">
            {t('{done} of {n} done', { done, n: results.size })}
          </span>
          <Button kind="plain" small icon="close" label={t('Close')} onClick={onClose} />
        </span>
      }
    >
      <table class="table stacks">
        <tbody>
          {[...results].map(([id, result]) => (
            <tr key={id}>
              <td class="break">
                <strong>{id}</strong>
              </td>
              <td>{result === 'running' ? <Badge tone="idle">{t('Testing…')}</Badge> : <Badge tone={result.success ? 'good' : 'bad'}>{result.success ? t('Answers') : t('Fails')}</Badge>}</td>
              <td class="break muted">{result === 'running' ? '' : [result.model, result.message].filter(Boolean).join(' · ')}</td>
              <td class="end nums nowrap">{result !== 'running' && typeof result.latency_ms === 'number' ? duration(result.latency_ms) : ''}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}
