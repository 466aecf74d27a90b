import { Code } from "@connectrpc/connect";

/** Why somebody is not let in. */
export type RefusalKind = "UNAUTHENTICATED" | "FORBIDDEN" | "MISDIRECTED" | "TOO_BUSY";

/** How each is told over HTTP, and as a status of gRPC. */
const ANSWERS: Readonly<Record<RefusalKind, { http: number; status: Code }>> = {
  UNAUTHENTICATED: { http: 401, status: Code.Unauthenticated },
  FORBIDDEN: { http: 403, status: Code.PermissionDenied },
  MISDIRECTED: { http: 421, status: Code.PermissionDenied },
  TOO_BUSY: { http: 503, status: Code.ResourceExhausted },
};

/** A request that is not let in. The message is for whoever has sent it. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly kind: RefusalKind;

  constructor(kind: RefusalKind, message: string) {
    super(message);
    this.kind = kind;
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
