import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { NodeRequest } from "../calls/calls.ts";
import type { Access, Caller } from "./access.ts";
import { type BrowserRules, checkBrowser } from "./browser.ts";
import { Refusal } from "./refusal.ts";
import { scopeNeeded } from "./scope.ts";

/** The head of a request, of whatever protocol. */
export interface RequestHead {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** What the server was called; undefined for HTTP/2 in clear text, which no browser speaks. */
  readonly host: string | undefined;
}

/** What stands for a request from its head to its end: its stream where it has one. */
export function exchangeOf(request: NodeRequest | IncomingMessage): object {
  return "stream" in request ? request.stream : request;
}

/** What is known of a request that was let in. */
export interface Admitted {
  readonly caller: Caller;
}

/** What admission decides by. */
export interface AdmissionOptions {
  readonly access: Access;
  readonly browser: BrowserRules;
}

/**
 * The door that every request passes, whatever protocol it is of. What is decided here is decided
 * nowhere else.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #admitted: WeakMap<object, Admitted> = new WeakMap();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /**
   * Lets a request in, or not: calls one of the two, at once unless somebody else has to be asked.
   *
   * @param exchange what stands for the request from here on ({@link exchangeOf})
   */
  enter(
    exchange: object,
    head: RequestHead,
    serve: (caller: Caller) => void,
    refuse: (refusal: Refusal) => void,
  ): void {
    const admit = (caller: Caller) => {
      this.#admitted.set(exchange, { caller });
      serve(caller);
    };
    const fail = (error: unknown) => {
      // What nobody foresaw is no reason to let somebody in, nor to end.
      const unforeseen = () => new Refusal("TOO_BUSY", "who sends this cannot be found out now");
      refuse(error instanceof Refusal ? error : unforeseen());
    };
    let caller: Caller | Promise<Caller>;
    try {
      caller = this.#decide(head);
    } catch (error) {
      fail(error);
      return;
    }
    if (caller instanceof Promise) void caller.then(admit, fail);
    else admit(caller);
  }

  /** Who has sent a request that was let in. */
  callerOf(request: NodeRequest | IncomingMessage): Caller | undefined {
    return this.#admitted.get(exchangeOf(request))?.caller;
  }

  /** @throws Refusal */
  #decide({ method, path, headers, host }: RequestHead): Caller | Promise<Caller> {
    const { access, browser } = this.#options;
    const { origin, authorization, "sec-fetch-site": fetchSite } = headers;
    const site = typeof fetchSite === "string" ? fetchSite : undefined;
    checkBrowser({ method, host, origin, site }, browser);
    return access.admit(authorization, scopeNeeded(method, path.replace(/\?.*$/, "")));
  }
}
