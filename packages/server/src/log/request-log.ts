import type { Logger } from "pino";
import type { Admitted, ExchangeObserver } from "../admission/admission.ts";
import type { Exchange } from "../admission/exchange.ts";

/** Longest path that is written down, in characters. */
const SHOWN_PATH = 300;

/** Writes down each request when it has ended: who, what, how it went, how much and how long. */
export class RequestLog implements ExchangeObserver {
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  begin(exchange: Exchange): (code: string, admitted: Admitted | undefined) => void {
    const start = performance.now();
    return (code, admitted) => {
      const { head, version, from, received, sent } = exchange;
      this.#log.info(
        {
          principal: admitted?.caller.name,
          method: head.method,
          // A query is no part of any address here: whoever puts a secret there does not find it in a log.
          path: head.path.slice(0, SHOWN_PATH),
          subject: admitted?.subject,
          code,
          received,
          sent,
          ms: Math.round(performance.now() - start),
          from,
          version,
        },
        "request",
      );
    };
  }
}
