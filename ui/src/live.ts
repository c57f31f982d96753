// Data that is kept fresh: loaded at once, then again and again while somebody looks at the page.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, call } from './api';

export interface Live<Answer> {
  data: Answer | undefined;
  error: ApiError | undefined;
  /** Loads it again, now. */
  refresh: () => Promise<void>;
}

/** Without input for this long, the page may be a tab that nobody reads: it asks only now and then. */
const IDLE_MS = 5 * 60_000;
const IDLE_EVERY_MS = 60_000;
let lastInput = Date.now();
for (const input of ['pointermove', 'pointerdown', 'keydown', 'scroll', 'visibilitychange']) {
  addEventListener(input, () => (lastInput = Date.now()), { capture: true, passive: true });
}

/** Asks every `every` milliseconds while the page is visible, and when it becomes so; less often once it is left alone. Answers how to stop. */
export function whileRead(every: number, ask: () => void): () => void {
  let askedAt = Date.now();
  const shown = (): void => {
    if (document.visibilityState !== 'visible') return;
    askedAt = Date.now();
    ask();
  };
  const isDue = (): boolean => Date.now() - lastInput < IDLE_MS || Date.now() - askedAt >= IDLE_EVERY_MS;
  const timer = setInterval(() => isDue() && shown(), every);
  document.addEventListener('visibilitychange', shown);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', shown);
  };
}

/** What `GET path` answers, asked every `every` milliseconds while the page is visible (0: once), and less often once it is left alone. No path asks nothing. */
export function useLive<Answer>(path: string | null, every = 0): Live<Answer> {
  const [state, setState] = useState<{ data?: Answer; error?: ApiError; path: string | null }>({ path });
  const latest = useRef(0);
  const isMissing = useRef(false); // asked no more, where there is no such route

  const refresh = useCallback(async () => {
    if (path === null) return;
    latest.current += 1;
    const mine = latest.current;
    try {
      const data = await call<Answer>('GET', path);
      if (mine !== latest.current) return;
      isMissing.current = false;
      setState({ data, path });
    } catch (error) {
      if (mine !== latest.current || !(error instanceof ApiError)) return;
      isMissing.current = error.isMissing;
      setState((old) => ({ data: old.path === path ? old.data : undefined, error, path }));
    }
  }, [path]);

  useEffect(() => {
    void refresh();
    const abandon = (): void => void (latest.current += 1);
    if (every === 0) return abandon;
    const stop = whileRead(every, () => void (!isMissing.current && refresh()));
    return () => {
      abandon();
      stop();
    };
  }, [refresh, every]);

  const current = state.path === path;
  return { data: current ? state.data : undefined, error: current ? state.error : undefined, refresh };
}

/** Now, in milliseconds, told anew every second while something counts down. */
export function useNow(counting: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!counting) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [counting]);
  return now;
}
