// The limits of an account or a key: an empty field is no limit.
import type { Text } from '../texts/zh';
import { t } from '../prefs';
import type { Limits } from '../types';
import { Input } from './parts';

export type LimitTexts = Partial<Record<keyof Limits, string>>;

const meanings: Record<keyof Limits, [Text, Text]> = {
  concurrency: ['At once', 'Calls in flight'],
  rpm: ['Per minute', 'Calls in any 60 seconds'],
  rpd: ['Per day', 'Calls in a calendar day'],
  tpm: ['Tokens per minute', 'Used and reserved'],
  min_gap_ms: ['Pause between calls, ms', 'From one start to the next'],
  max_uses: ['Uses in all', 'Then it is set aside'],
};

export const limitTexts = (limits: Limits = {}): LimitTexts =>
  Object.fromEntries(Object.entries(limits).map(([name, value]) => [name, value === -1 ? '' : String(value)]));

/** As the API takes them: -1 for what was emptied. */
export function limitsOf(texts: LimitTexts): Limits {
  const entries = Object.entries(texts).map(([name, text]) => [name, text === '' ? -1 : Number(text)]);
  return Object.fromEntries(entries) as Limits;
}

export function LimitFields({ texts, onChange, names }: { texts: LimitTexts; onChange: (texts: LimitTexts) => void; names: (keyof Limits)[] }) {
  return (
    <div class="grid-2">
      {names.map((name) => (
        <Input
          key={name}
          type="number"
          label={t(meanings[name][0])}
          hint={t(meanings[name][1])}
          placeholder={t('no limit')}
          value={texts[name] ?? ''}
          onChange={(text) => onChange({ ...texts, [name]: text })}
        />
      ))}
    </div>
  );
}
