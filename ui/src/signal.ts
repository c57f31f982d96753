// A value that components watch.
import { useEffect, useState } from 'preact/hooks';

export interface Signal<Value> {
  get(): Value;
  set(value: Value): void;
  watch(listener: () => void): () => void;
}

export function signalOf<Value>(value: Value): Signal<Value> {
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const listener of [...listeners]) listener();
    },
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

export function useSignal<Value>(signal: Signal<Value>): Value {
  const [, render] = useState({});
  useEffect(() => signal.watch(() => render({})), [signal]);
  return signal.get();
}
