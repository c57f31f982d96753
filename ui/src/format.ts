// Numbers and times as people read them.
import { locale, t } from './prefs';

export const number = (value: number): string => new Intl.NumberFormat(locale()).format(value);

/** 1,234 → 1.2K. */
export const short = (value: number): string =>
  new Intl.NumberFormat(locale(), { notation: 'compact', maximumFractionDigits: 1 }).format(value);

export const percent = (share: number): string =>
  new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: share > 0.99 && share < 1 ? 2 : 1 }).format(share);

/** 850 ms, 1.24 s, 2 min 5 s, 3 h 4 min, 2 d 3 h. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${Number(seconds.toFixed(seconds < 10 ? 2 : 1))} s`;
  return countdown(milliseconds);
}

/** Whole seconds and more. */
export function countdown(milliseconds: number): string {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), t('d')],
    [Math.floor(seconds / 3600) % 24, t('h')],
    [Math.floor(seconds / 60) % 60, t('min')],
    [seconds % 60, t('s')],
  ];
  const from = parts.findIndex(([value]) => value > 0);
  if (from < 0) return `0 ${t('s')}`;
  const shown = parts.slice(from, from + 2).filter(([value], index) => index === 0 || value > 0);
  return shown.map(([value, unit]) => `${value} ${unit}`).join(' ');
}

export const time = (milliseconds: number): string =>
  new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'medium' }).format(milliseconds);

export const clock = (milliseconds: number): string =>
  new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(milliseconds);

export const day = (milliseconds: number): string => new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' }).format(milliseconds);

/** "5 minutes ago". */
export function ago(milliseconds: number, now: number): string {
  const passed = Math.max(0, now - milliseconds);
  return passed < 5_000 ? t('just now') : t('{time} ago', { time: countdown(passed).split(' ').slice(0, 2).join(' ') });
}
