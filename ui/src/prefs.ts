// What the reader chose: language and theme. Kept in this browser; neither is a secret.
import { signalOf } from './signal';
import { type Text, zh } from './texts/zh';

export type Language = 'en' | 'zh';
export type Theme = 'system' | 'light' | 'dark';

export interface Prefs {
  language: Language;
  theme: Theme;
}

const stored = (name: string): string | null => {
  try {
    return localStorage.getItem(`weir.${name}`);
  } catch {
    return null; // a browser that keeps nothing
  }
};

function first(): Prefs {
  const [language, theme] = [stored('language'), stored('theme')];
  const wanted = navigator.languages.find((name) => /^(zh|en)\b/i.test(name)) ?? 'en';
  return {
    language: language === 'en' || language === 'zh' ? language : wanted.toLowerCase().startsWith('zh') ? 'zh' : 'en',
    theme: theme === 'light' || theme === 'dark' ? theme : 'system',
  };
}

export const prefs = signalOf<Prefs>(first());

export function choose(change: Partial<Prefs>): void {
  prefs.set({ ...prefs.get(), ...change });
  try {
    for (const [name, value] of Object.entries(change)) localStorage.setItem(`weir.${name}`, value);
  } catch {
    // It lasts as long as the page.
  }
  apply();
}

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
systemIsDark.addEventListener('change', apply);

/** Puts them on the document. */
export function apply(): void {
  const { language, theme } = prefs.get();
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  document.documentElement.dataset.theme = theme !== 'system' ? theme : systemIsDark.matches ? 'dark' : 'light';
}

/** A text in the reader's language; `{name}` stands for a value. */
export function t(text: Text, values: Record<string, string | number> = {}): string {
  const said: string = prefs.get().language === 'zh' ? zh[text] : text;
  return said.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export const locale = (): string => (prefs.get().language === 'zh' ? 'zh-CN' : 'en');
