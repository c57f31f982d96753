// Short messages that go by themselves, told to screen readers too.
import { signalOf, useSignal } from './signal';

interface Toast {
  id: number;
  text: string;
}

const toasts = signalOf<Toast[]>([]);
const shownFor = 3500;
let count = 0;

export function say(text: string): void {
  count += 1;
  const toast = { id: count, text };
  toasts.set([...toasts.get().slice(-2), toast]);
  setTimeout(() => toasts.set(toasts.get().filter((each) => each !== toast)), shownFor);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {useSignal(toasts).map((toast) => (
        <div class="toast" key={toast.id}>
          {toast.text}
        </div>
      ))}
    </div>
  );
}
