// A conversation with a model, by any of the three APIs, as a client would have it.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, call } from '../api';
import { useAction } from '../components/dialog';
import { Button, Card, Check, CopyButton, Empty, Field, Input, Notice, PageHead, Segmented, Select, TextArea, Trouble } from '../components/parts';
import { duration, number } from '../format';
import type { Ask, Dialect, Effort, Said } from '../playground/dialects';
import { type Answer, nothingYet, send } from '../playground/send';
import { type SnippetKind, snippet } from '../playground/snippets';
import { t } from '../prefs';
import { useSignal } from '../signal';
import { clientKey } from '../store';
import type { ClientKey } from '../types';

type Turn = { role: 'user'; text: string } | { role: 'assistant'; answer: Answer };

export function Playground() {
  const key = useSignal(clientKey);
  const [models, setModels] = useState<string[]>();
  const [trouble, setTrouble] = useState<ApiError>();
  const [ask, setAsk] = useState({ dialect: 'openai' as Dialect, model: '', system: '', stream: true, effort: '' as Effort, maxTokens: '4096' });
  const [turns, setTurns] = useState<Turn[]>([]);
  const [draft, setDraft] = useState('');
  const stop = useRef<AbortController | undefined>(undefined);
  const set = <Name extends keyof typeof ask>(name: Name) => (value: (typeof ask)[Name]): void => setAsk((old) => ({ ...old, [name]: value }));

  useEffect(() => () => stop.current?.abort(), []);
  useEffect(() => {
    setModels(undefined);
    setTrouble(undefined);
    if (!key) return;
    const leaving = new AbortController();
    call<{ data: { id: string }[] }>('GET', '/v1/models', { key, signal: leaving.signal })
      .then(({ data }) => {
        const found = data.map((model) => model.id);
        setModels(found);
        setAsk((old) => ({ ...old, model: found.includes(old.model) ? old.model : (found[0] ?? '') }));
      })
      .catch((error) => error instanceof ApiError && setTrouble(error));
    return () => leaving.abort();
  }, [key]);

  const isLoading = Boolean(key) && models === undefined && trouble === undefined;
  const last = turns.at(-1);
  const isRunning = last?.role === 'assistant' && !last.answer.isDone;
  const request = (said: Said[]): Ask => ({ ...ask, maxTokens: Number(ask.maxTokens) || 4096, turns: said });
  const submit = (): void => {
    const text = draft.trim();
    if (!text || isRunning || !key || !ask.model) return;
    const before: Turn[] = [...turns, { role: 'user', text }];
    const controller = new AbortController();
    stop.current = controller;
    setDraft('');
    setTurns([...before, { role: 'assistant', answer: nothingYet() }]);
    void send(request(saidIn(before)), key, controller.signal, (answer) => setTurns([...before, { role: 'assistant', answer }]));
  };
  const shownAsk = request(saidIn(draft.trim() || turns.length === 0 ? [...turns, { role: 'user', text: draft.trim() || 'Hello' }] : turns.at(-1)?.role === 'assistant' ? turns.slice(0, -1) : turns));

  return (
    <>
      <PageHead title={t('Playground')}>{t('Talk to your models as a client would. Nothing is kept: the conversation ends with this page.')}</PageHead>
      <div class="playground">
        <div class="stack">
          <Card title={t('Key')}>
            <KeyChoice value={key} trouble={trouble} />
          </Card>
          <Card title={t('Request')}>
            <div class="stack">
              <Field label={t('API')}>
                {() => (
                  <Segmented
                    label={t('API')}
                    value={ask.dialect}
                    options={[
                      { value: 'openai', shown: 'OpenAI' },
                      { value: 'claude', shown: 'Claude' },
                      { value: 'responses', shown: 'Responses' },
                    ]}
                    onChange={set('dialect')}
                  />
                )}
              </Field>
              {models?.length || isLoading ? (
                <Select label={t('Model')} value={ask.model} options={(models ?? [ask.model]).map((model) => [model, model || t('Loading…')])} onChange={set('model')} />
              ) : (
                <Input label={t('Model')} code value={ask.model} onChange={set('model')} hint={models ? t('No model yet: a service names its own under “Upstreams”.') : undefined} />
              )}
              <Check label={t('Stream')} checked={ask.stream} onChange={set('stream')} />
              <details>
                <summary>{t('More')}</summary>
                <div class="stack">
                  <Select
                    label={t('Thinking')}
                    value={ask.effort}
                    options={[
                      ['', t('as the model does')],
                      ['low', t('a little')],
                      ['medium', t('some')],
                      ['high', t('a lot')],
                    ]}
                    onChange={(value) => set('effort')(value as Effort)}
                  />
                  <TextArea label={t('System')} rows={2} value={ask.system} onChange={set('system')} />
                  <Input label={t('Longest answer, tokens')} type="number" value={ask.maxTokens} onChange={set('maxTokens')} />
                </div>
              </details>
            </div>
          </Card>
          <Card title={t('As code')}>
            <div class="row tight">
              {(['curl', 'python', 'js'] as SnippetKind[]).map((kind) => (
                <CopyButton key={kind} small text={() => snippet(kind, shownAsk, location.origin)}>
                  {{ curl: 'curl', python: 'Python', js: 'JavaScript' }[kind]}
                </CopyButton>
              ))}
            </div>
          </Card>
        </div>
        <section class="card talk" aria-label={t('Conversation')}>
          <div class="turns">
            {turns.length === 0 && (
              <Empty icon="playground" title={t('Say hello')}>
                {key ? t('Your message goes to a real account of the pool, and counts.') : t('Choose a key first.')}
              </Empty>
            )}
            {turns.map((turn, index) =>
              turn.role === 'user' ? (
                <div class="turn user" key={index}>
                  <div class="text">{turn.text}</div>
                </div>
              ) : (
                <AnswerTurn key={index} answer={turn.answer} />
              ),
            )}
          </div>
          <form
            class="composer"
            onSubmit={(event) => {
              event.preventDefault();
              submit();
            }}
          >
            <textarea
              aria-label={t('Message')}
              rows={2}
              placeholder={t('Message; Enter sends, Shift+Enter breaks the line')}
              value={draft}
              onInput={(event) => setDraft(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
                event.preventDefault();
                submit();
              }}
            />
            <div class="row">
              {isRunning ? (
                <Button icon="stop" onClick={() => stop.current?.abort()}>
                  {t('Stop')}
                </Button>
              ) : (
                <Button kind="primary" type="submit" icon="send" disabled={!draft.trim() || !key || !ask.model}>
                  {t('Send')}
                </Button>
              )}
              {turns.length > 0 && !isRunning && (
                <Button kind="plain" icon="clear" onClick={() => setTurns([])}>
                  {t('New conversation')}
                </Button>
              )}
            </div>
          </form>
        </section>
      </div>
    </>
  );
}

/** The conversation as it is sent; answers that failed without a word are left out. */
function saidIn(turns: Turn[]): Said[] {
  const said: Said[] = [];
  for (const turn of turns) {
    if (turn.role === 'user') said.push({ role: 'user', text: turn.text });
    else if (turn.answer.text) said.push({ role: 'assistant', text: turn.answer.text });
    else said.pop();
  }
  return said;
}

function KeyChoice({ value, trouble }: { value: string; trouble?: ApiError }) {
  const { busy, error, run } = useAction();
  const create = (): Promise<unknown> =>
    run(async () => {
      const ends = new Date(Date.now() + 86_400_000).toISOString();
      const { key } = await call<{ key: ClientKey }>('POST', '/admin/keys', { body: { name: 'playground', expires_at: ends } });
      clientKey.set(key.key!);
    });
  return (
    <div class="stack tight">
      <Input label={t('Client key')} type="password" code placeholder="sk-…" hint={t('Kept in this tab alone.')} value={value} onChange={(text) => clientKey.set(text.trim())} />
      {!value && (
        <Button small icon="plus" busy={busy} onClick={create}>
          {t('Make one for a day')}
        </Button>
      )}
      {trouble && <Notice tone="bad">{trouble.message}</Notice>}
      {error && <Trouble error={error} />}
    </div>
  );
}

function AnswerTurn({ answer }: { answer: Answer }) {
  const facts = [
    answer.model,
    answer.firstMs !== undefined && t('first token {time}', { time: duration(answer.firstMs) }),
    answer.totalMs !== undefined && t('in all {time}', { time: duration(answer.totalMs) }),
    Number(answer.queueMs) > 0 && t('{time} in the queue', { time: duration(Number(answer.queueMs)) }),
    Number(answer.attempts) > 1 && t('{n} tries', { n: answer.attempts! }),
    answer.tokensOut !== undefined && t('{in} in, {out} out', { in: number(answer.tokensIn ?? 0), out: number(answer.tokensOut) }),
  ].filter((fact): fact is string => Boolean(fact));
  return (
    <div class="turn" aria-live="polite" aria-busy={!answer.isDone}>
      {answer.reasoning && (
        <details class="thoughts">
          <summary>{answer.text || answer.isDone ? t('Thoughts') : t('Thinking…')}</summary>
          <div class="text">{answer.reasoning}</div>
        </details>
      )}
      {(answer.text || !answer.isDone) && <div class={`text ${answer.isDone ? '' : 'caret'}`}>{answer.text}</div>}
      {answer.error && <Notice tone="bad">{answer.error}</Notice>}
      {answer.isDone && !answer.text && !answer.error && <p class="muted">{t('No text came.')}</p>}
      {facts.length > 0 && <div class="facts">{facts.map((fact) => <span key={fact}>{fact}</span>)}</div>}
      {answer.events.length > 0 && (
        <details>
          <summary class="small">{t('As it came ({n})', { n: number(answer.events.length) })}</summary>
          <pre class="events" tabIndex={0}>
            {answer.events.join('\n\n')}
          </pre>
        </details>
      )}
    </div>
  );
}
