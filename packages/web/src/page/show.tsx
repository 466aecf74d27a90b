import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import type { Loaded } from "./load.ts";

/** Bytes for people. */
export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  const power = Math.min(4, Math.floor(Math.log2(count) / 10));
  return `${(count / 1024 ** power).toFixed(1)} ${["", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

/** What was loaded; or that it is being loaded, or why not. */
export function Shown<T>({
  of,
  children,
}: {
  of: Loaded<T>;
  children: (value: T) => ComponentChildren;
}): JSX.Element {
  if (of.state === "loading")
    return (
      <p class="faint" role="status">
        Loading…
      </p>
    );
  if (of.state === "done") return <>{children(of.value)}</>;
  return (
    <p class="error" role="alert">
      {of.error.message}
    </p>
  );
}

/** A line to copy. */
export function Copy({ text, label }: { text: string; label: string }): JSX.Element {
  const [isCopied, setCopied] = useState(false);
  const copy = () => void navigator.clipboard.writeText(text).then(() => setCopied(true));
  return (
    <div class="copy">
      <code>{text}</code>
      <button type="button" aria-label={`Copy: ${label}`} onClick={copy}>
        {isCopied ? "Copied" : "Copy"}
      </button>
    </div>
  );
}
