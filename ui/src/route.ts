// Which view is shown: the part of the address behind `#/`, so that no view's name can collide with a route of the API.
import { useEffect } from 'preact/hooks';
import { signalOf, useSignal } from './signal';

export const views = ['home', 'accounts', 'upstreams', 'keys', 'playground', 'logs', 'explain', 'imports', 'settings'] as const;
export type View = (typeof views)[number];

const read = (): View => views.find((view) => location.hash === `#/${view}`) ?? 'home';
const current = signalOf<View>(read());

export function useView(): View {
  useEffect(() => {
    const changed = (): void => {
      if (read() === current.get()) return;
      current.set(read());
      scrollTo(0, 0);
      // A reader of the screen hears that the view has changed.
      requestAnimationFrame(() => document.querySelector<HTMLElement>('main h1')?.focus());
    };
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return useSignal(current);
}

let isNewAsked = false;

/** Goes to a view, or to its form for something new. */
export function go(view: View, form?: 'new'): void {
  isNewAsked = form === 'new';
  location.hash = `#/${view}`;
}

/** Whether a view that begins was gone to for its form; asked once. */
export function takeForm(): 'new' | undefined {
  const form = isNewAsked ? 'new' : undefined;
  isNewAsked = false;
  return form;
}
