// Rows of "this name stands for that one".
import { t } from '../prefs';
import { Icon } from './icon';
import { Button } from './parts';

export type Pair = [from: string, to: string];

export const pairsOf = (map: Record<string, string>): Pair[] => Object.entries(map);

/** Without empty rows. */
export const mapOf = (pairs: Pair[]): Record<string, string> => Object.fromEntries(pairs.map(([from, to]) => [from.trim(), to.trim()]).filter(([from, to]) => from && to));

interface Props {
  pairs: Pair[];
  onChange: (pairs: Pair[]) => void;
  from: string;
  to: string;
  placeholder?: Pair;
}

export function Pairs({ pairs, onChange, from, to, placeholder }: Props) {
  const change = (index: number, pair: Pair): void => onChange(pairs.map((each, at) => (at === index ? pair : each)));
  return (
    <div class="pairs">
      {pairs.map((pair, index) => (
        <div class="pair" key={index}>
          <input class="code" aria-label={`${from} ${index + 1}`} placeholder={placeholder?.[0] ?? from} value={pair[0]} spellcheck={false} onInput={(event) => change(index, [event.currentTarget.value, pair[1]])} />
          <span class="arrow muted" aria-hidden="true">
            <Icon name="send" size={16} />
          </span>
          <input class="code" aria-label={`${to} ${index + 1}`} placeholder={placeholder?.[1] ?? to} value={pair[1]} spellcheck={false} onInput={(event) => change(index, [pair[0], event.currentTarget.value])} />
          <Button kind="plain" icon="trash" label={t('Remove row {n}', { n: index + 1 })} onClick={() => onChange(pairs.filter((_, at) => at !== index))} />
        </div>
      ))}
      <div>
        <Button small icon="plus" onClick={() => onChange([...pairs, ['', '']])}>
          {t('Add a row')}
        </Button>
      </div>
    </div>
  );
}
