/** What an error may carry besides its code and message. */
export interface CodedErrorDetails {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** So that nobody hands over the error itself. */
  readonly message?: never;
}

/**
 * An error with a code for programs to branch on: what each package derives its one error class from,
 * with the codes that it has. Codes are stable; messages are not.
 */
export abstract class CodedError<Code extends string> extends Error {
  abstract override readonly name: string;
  /** What went wrong. */
  readonly code: Code;

  constructor(code: Code, message: string, details: CodedErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
  }
}

/** Whether a value is an error of that name with a code, also one of another copy of its package. */
export function isCodedError(value: unknown, name: string): boolean {
  return value instanceof Error && value.name === name && "code" in value;
}
