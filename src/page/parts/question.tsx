import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface QuestionProps {
  title: string;
  children: ComponentChildren;
  /** On the button that does it. */
  yes: string;
  no: string;
  isBusy: boolean;
  onYes: () => void;
  onNo: () => void;
}

/** Asks before something that cannot be undone. The safe answer has the focus, and Escape gives it too. */
export function Question({ title, children, yes, no, isBusy, onYes, onNo }: QuestionProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={onNo} aria-labelledby="question">
      <h2 id="question">{title}</h2>
      {children}
      <div class="answers">
        <button type="button" onClick={onNo}>
          {no}
        </button>
        <button type="button" class="danger" disabled={isBusy} onClick={onYes}>
          {yes}
        </button>
      </div>
    </dialog>
  );
}
