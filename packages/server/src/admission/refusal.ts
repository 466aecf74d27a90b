import { Code } from "@connectrpc/connect";

/** Why somebody is not let in. */
export type RefusalKind = "UNAUTHENTICATED" | "FORBIDDEN" | "MISDIRECTED" | "TOO_BUSY" | "QUOTA";

/** How each is told over HTTP, and as a status of gRPC. */
const ANSWERS: Readonly<Record<RefusalKind, { http: number; status: Code }>> = {
  UNAUTHENTICATED: { http: 401, status: Code.Unauthenticated },
  FORBIDDEN: { http: 403, status: Code.PermissionDenied },
  MISDIRECTED: { http: 421, status: Code.PermissionDenied },
  TOO_BUSY: { http: 503, status: Code.ResourceExhausted },
  QUOTA: { http: 429, status: Code.ResourceExhausted },
};

/** How long somebody who comes too soon is to wait, in seconds. */
const BUSY_S = 5;

/** A request that is not let in. The message is for whoever has sent it. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly kind: RefusalKind;
  /** How long somebody is to wait before they come again, in seconds; undefined: that would not help. */
  readonly retryAfterS: number | undefined;

  /** @param retryAfterS default 5 s for TOO_BUSY */
  constructor(kind: RefusalKind, message: string, retryAfterS?: number) {
    super(message);
    this.kind = kind;
    this.retryAfterS = retryAfterS ?? (kind === "TOO_BUSY" ? BUSY_S : undefined);
  }

  /** Status over HTTP. */
  get httpStatus(): number {
    return ANSWERS[this.kind].http;
  }

  /** Status of gRPC. */
  get status(): Code {
    return ANSWERS[this.kind].status;
  }
}
