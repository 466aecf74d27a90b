/** What a check has found. */
export interface Finding {
  readonly level: "ok" | "note" | "problem";
  /** What was looked at. */
  readonly subject: string;
  /** What was seen. */
  readonly text: string;
  /** What to do, where there is something. */
  readonly advice?: string;
}

/** Everything is as it should be. */
export function ok(subject: string, text: string): Finding {
  return { level: "ok", subject, text };
}

/** Worth knowing; it works nevertheless. */
export function note(subject: string, text: string, advice: string): Finding {
  return { level: "note", subject, text, advice };
}

/** It does not work so. */
export function problem(subject: string, text: string, advice: string): Finding {
  return { level: "problem", subject, text, advice };
}
