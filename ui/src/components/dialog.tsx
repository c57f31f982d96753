// Dialogs: the browser's own, so that focus stays inside, Escape closes, and what is behind is out of reach.
import type { ComponentChildren, RefObject } from 'preact';
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api';
import { t } from '../prefs';
import { Button, Form, Trouble } from './parts';

/** Opens it as long as it is there, and gives the focus back to where it was. */
export function useModal(element: RefObject<HTMLDialogElement | null>): void {
  useLayoutEffect(() => {
    const dialog = element.current;
    if (!dialog) return;
    const before = document.activeElement;
    dialog.showModal();
    // Not on the button that closes, where the browser would begin.
    (dialog.querySelector<HTMLElement>('[autofocus]') ?? dialog.querySelector<HTMLElement>('.dialog-body'))?.focus();
    return () => {
      dialog.close(); // what is behind cannot be focused before
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
}

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  footer?: ComponentChildren;
  narrow?: boolean;
  /** Sent by Enter and by its submit button. */
  onSubmit?: () => unknown;
}

export function Dialog({ title, onClose, children, footer, narrow, onSubmit }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useModal(element);
  const inside = (
    <>
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        <Button kind="plain" small icon="close" label={t('Close')} onClick={onClose} />
      </div>
      <div class="dialog-body" tabIndex={-1}>{children}</div>
      {footer && <div class="dialog-foot">{footer}</div>}
    </>
  );
  return (
    <dialog
      ref={element}
      class={narrow ? 'narrow' : undefined}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      {onSubmit ? (
        <Form class="dialog" onSubmit={onSubmit}>
          {inside}
        </Form>
      ) : (
        <div class="dialog">{inside}</div>
      )}
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  children: ComponentChildren;
  action: string;
  onConfirm: () => Promise<unknown>;
  onClose: () => void;
}

/** Asks before something that cannot be taken back. */
export function Confirm({ title, children, action, onConfirm, onClose }: ConfirmProps) {
  const { busy, error, run } = useAction();
  const confirm = (): Promise<unknown> =>
    run(async () => {
      await onConfirm();
      onClose();
    });
  return (
    <Dialog
      narrow
      title={title}
      onClose={onClose}
      onSubmit={confirm}
      footer={<SubmitOrCancel kind="danger" label={action} busy={busy} onCancel={onClose} />}
    >
      <p class="break">{children}</p>
      {error && <Trouble error={error} />}
    </Dialog>
  );
}

/** Something that takes a while and can fail. */
export function useAction() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const run = async (work: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setError(undefined);
    try {
      await work();
      return true;
    } catch (failure) {
      setError(failure instanceof ApiError ? failure : new ApiError(0, String(failure), 'page'));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, run, forget: () => setError(undefined) };
}

/** The buttons below a dialog that sends something. */
export function SubmitOrCancel({ kind = 'primary', label, busy, onCancel }: { kind?: 'primary' | 'danger'; label: string; busy: boolean; onCancel: () => void }) {
  return (
    <>
      <Button onClick={onCancel}>{t('Cancel')}</Button>
      <Button kind={kind} type="submit" busy={busy}>
        {label}
      </Button>
    </>
  );
}
