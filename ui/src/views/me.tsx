// For who holds a key: what it may do, what it did, and how to use it.
import { useEffect, useState } from 'preact/hooks';
import { ApiError, call } from '../api';
import { Brand, Prefs } from '../app';
import { useAction } from '../components/dialog';
import { Button, Card, Code, Form, Input, Notice, Segmented, Trouble } from '../components/parts';
import { countdown, day, number, short } from '../format';
import { t } from '../prefs';
import { clientKey } from '../store';
import { useSignal } from '../signal';
import type { Mine } from '../types';
import { KeyMeters } from './keys';

export function Me() {
  const key = useSignal(clientKey);
  const [draft, setDraft] = useState(key);
  const [mine, setMine] = useState<Mine | null>();
  const [models, setModels] = useState<string[]>();
  const { busy, error, run } = useAction();

  const look = (presented: string): Promise<unknown> =>
    run(async () => {
      const { data } = await call<{ data: { id: string }[] }>('GET', '/v1/models', { key: presented });
      setModels(data.map((model) => model.id));
      clientKey.set(presented);
      // A Worker without the route still lists its models.
      setMine(await call<Mine>('GET', '/v1/me', { key: presented }).catch((failure) => {
        if (failure instanceof ApiError && failure.isMissing) return null;
        throw failure;
      }));
    });
  useEffect(() => {
    document.title = t('Your key · Weir');
    if (key) void look(key);
  }, []);
  const forget = (): void => {
    clientKey.set('');
    setDraft('');
    setMine(undefined);
    setModels(undefined);
  };

  return (
    <div class="gate">
      <div class="gate-bar">
        <Prefs />
      </div>
      {!models ? (
        <main class="gate-card">
          <Brand />
          <Form class="stack" onSubmit={() => look(draft)}>
            <div>
              <h1>{t('Your key')}</h1>
              <p class="muted">{t('Paste it to see its use, its limits and its models. It stays in this tab.')}</p>
            </div>
            <Input label={t('Client key')} type="password" code focus required placeholder="sk-…" value={draft} onChange={(text) => setDraft(text.trim())} />
            {error && <Trouble error={error} />}
            <Button kind="primary" type="submit" wide busy={busy} disabled={!draft}>
              {t('Show')}
            </Button>
            <p class="small muted">
              {t('You run this Worker?')} <a href="/">{t('Log in')}</a>
            </p>
          </Form>
        </main>
      ) : (
        <main class="mine stack">
          <div class="row">
            <span class="grow">
              <Brand />
            </span>
            <Button icon="reset" busy={busy} onClick={() => look(key)}>
              {t('Load again')}
            </Button>
            <Button kind="plain" icon="logout" onClick={forget}>
              {t('Forget the key')}
            </Button>
          </div>
          <h1>{mine?.name ?? t('Your key')}</h1>
          {error && <Trouble error={error} />}
          {mine === null && <Notice>{t('This Worker does not tell a key’s use yet; its models are below.')}</Notice>}
          {mine && (
            <Card title={t('Use and limits')} side={mine.expires_at ? <span class="muted small">{t('ends {day}, in {time}', { day: day(Date.parse(mine.expires_at)), time: countdown(Date.parse(mine.expires_at) - Date.now()) })}</span> : undefined}>
              <div class="stack">
                <KeyMeters status={mine} />
                {mine.today.requests !== undefined && (
                  <p class="muted">
                    {t('Today: {n} requests, {in} tokens in, {out} out. The day ends in {time} ({zone}).', {
                      n: number(mine.today.requests),
                      in: short(mine.today.tokens?.prompt ?? 0),
                      out: short(mine.today.tokens?.completion ?? 0),
                      time: countdown(Date.parse(mine.day_ends_at) - Date.now()),
                      zone: mine.timezone,
                    })}
                  </p>
                )}
              </div>
            </Card>
          )}
          <Card title={t('Models ({n})', { n: models.length })}>
            {models.length === 0 ? (
              <p class="muted">{t('This key may use no model yet.')}</p>
            ) : (
              <div class="row tight">
                {models.map((model) => (
                  <span class="chip" key={model}>
                    {model}
                  </span>
                ))}
              </div>
            )}
          </Card>
          <Snippets models={models} />
        </main>
      )}
    </div>
  );
}

type Client = 'claude' | 'codex' | 'python' | 'js' | 'curl';

function Snippets({ models }: { models: string[] }) {
  const model = models[0] ?? 'MODEL';
  const [client, setClient] = useState<Client>('claude');
  const { origin } = location;
  const texts: Record<Client, string> = {
    claude: `export ANTHROPIC_BASE_URL=${origin}\nexport ANTHROPIC_AUTH_TOKEN=…your key…\n${models.some((name) => name.startsWith('claude')) ? 'claude' : `claude --model ${model}`}`,
    codex: `# ~/.codex/config.toml, and: export WEIR_KEY=…your key…\nmodel = "${model}"\nmodel_provider = "weir"\n\n[model_providers.weir]\nname = "Weir"\nbase_url = "${origin}/v1"\nenv_key = "WEIR_KEY"\nwire_api = "responses"`,
    python: `from openai import OpenAI\n\nclient = OpenAI(base_url="${origin}/v1", api_key="…your key…")\nanswer = client.chat.completions.create(\n    model="${model}",\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(answer.choices[0].message.content)`,
    js: `import OpenAI from 'openai';\n\nconst client = new OpenAI({ baseURL: '${origin}/v1', apiKey: '…your key…' });\nconst answer = await client.chat.completions.create({\n  model: '${model}',\n  messages: [{ role: 'user', content: 'Hello' }],\n});\nconsole.log(answer.choices[0].message.content);`,
    curl: `curl ${origin}/v1/chat/completions \\\n  -H 'Authorization: Bearer …your key…' -H 'Content-Type: application/json' \\\n  -d '{"model":"${model}","messages":[{"role":"user","content":"Hello"}]}'`,
  };
  return (
    <Card title={t('How to use it')}>
      <div class="stack">
        <Segmented
          label={t('Client')}
          value={client}
          options={[
            { value: 'claude', shown: 'Claude Code' },
            { value: 'codex', shown: 'Codex' },
            { value: 'python', shown: 'Python' },
            { value: 'js', shown: 'JavaScript' },
            { value: 'curl', shown: 'curl' },
          ]}
          onChange={setClient}
        />
        <Code>{texts[client]}</Code>
      </div>
    </Card>
  );
}
