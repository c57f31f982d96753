// What a test of an account said: one short call, as a client would make it.
import { ApiError, call } from '../api';
import { Badge, Button, Card } from '../components/parts';
import { duration } from '../format';
import { t } from '../prefs';

export type TestResult = 'running' | { success: boolean; message: string; latency_ms?: number; model?: string };

/** Makes the call. An account that fails is a result; a Worker that cannot test is an error. */
export async function testAccount(id: string): Promise<TestResult> {
  try {
    return await call<TestResult>('POST', '/admin/accounts/test', { body: { id } });
  } catch (error) {
    if (!(error instanceof ApiError) || error.isMissing || error.status === 0 || error.status === 401 || error.status === 405) throw error;
    return { success: false, message: error.message };
  }
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
      <div class="table-wrap">
        <table class="table">
          <tbody>
            {[...results].map(([id, result]) => (
              <tr key={id}>
                <td class="break">{id}</td>
                <td>{result === 'running' ? <Badge tone="idle">{t('Testing…')}</Badge> : <Badge tone={result.success ? 'good' : 'bad'}>{result.success ? t('Answers') : t('Fails')}</Badge>}</td>
                <td class="break muted">{result === 'running' ? '' : [result.model, result.message].filter(Boolean).join(' · ')}</td>
                <td class="end nums nowrap">{result !== 'running' && result.latency_ms !== undefined ? duration(result.latency_ms) : ''}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
