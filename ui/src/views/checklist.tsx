// The first steps, until all are done.
import type { ComponentChildren } from 'preact';
import { Icon } from '../components/icon';
import { Button, Card, Notice } from '../components/parts';
import { t } from '../prefs';
import { type View, go } from '../route';
import type { Config } from '../types';

export function Checklist({ config, served }: { config: Config; served: boolean }) {
  const steps: { done: boolean; title: string; about: ComponentChildren; action: string; view: View }[] = [
    { done: true, title: t('Set the two secrets'), about: t('Done: you are in.'), action: '', view: 'home' },
    { done: config.accounts.length > 0, title: t('Add an account'), about: t('An API key of a service, or an import from another gateway.'), action: t('Add an account'), view: 'accounts' },
    { done: config.keys.length > 0, title: t('Create a key'), about: t('It is what your apps present to Weir.'), action: t('Create a key'), view: 'keys' },
    { done: served, title: t('Say hello'), about: t('Send a first message in the Playground.'), action: t('Open the Playground'), view: 'playground' },
  ];
  if (steps.every((step) => step.done)) return null;
  const next = steps.findIndex((step) => !step.done);
  return (
    <Card bare title={t('First steps')} side={<span class="muted small">{t('{done} of {n} done', { done: steps.filter((step) => step.done).length, n: steps.length })}</span>}>
      <ol class="steps">
        {steps.map((step, index) => (
          <li key={step.title} class={`step ${step.done ? 'done' : index === next ? 'next' : ''}`}>
            <span class="mark" aria-hidden="true">
              {step.done ? <Icon name="check" /> : index + 1}
            </span>
            <div>
              <strong>{step.title}</strong>
              {step.done && <span class="visually-hidden"> ({t('done')})</span>}
              <div class="muted small">{step.about}</div>
            </div>
            {!step.done && (
              <Button kind={index === next ? 'primary' : undefined} onClick={() => go(step.view, 'new')}>
                {step.action}
              </Button>
            )}
          </li>
        ))}
      </ol>
    </Card>
  );
}

/** Beside the accounts, while nobody can call them. */
export function NextStep({ config }: { config: Config }) {
  if (config.keys.length > 0) return null;
  const action = (
    <Button small onClick={() => go('keys', 'new')}>
      {t('Create a key')}
    </Button>
  );
  return <Notice action={action}>{t('Next: a key, which is what your apps present to Weir.')}</Notice>;
}
