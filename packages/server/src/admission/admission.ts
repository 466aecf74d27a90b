import type { IncomingMessage } from "node:http";
import type { NodeRequest } from "../node-messages.ts";
import type { Access, Caller } from "./access.ts";
import { type BrowserRules, checkBrowser } from "./browser.ts";
import type { Exchange } from "./exchange.ts";
import { CUT_OFF } from "./exchange-code.ts";
import { OpenRequests } from "./open-requests.ts";
import type { Pace } from "./pace.ts";
import { Refusal } from "./refusal.ts";
import { RefusalRate } from "./refusal-rate.ts";
import { UploadVolume } from "./upload-volume.ts";
import { UploadsAtOnce } from "./uploads-at-once.ts";

/** What an exchange is known by: its stream where it has one. */
export function exchangeKeyOf(request: NodeRequest | IncomingMessage): object {
  return "stream" in request ? request.stream : request;
}

/** A request that was let in. */
export interface Admitted {
  readonly exchange: Exchange;
  readonly caller: Caller;
  /** What it is about, such as a digest, once that is known. */
  subject: string | undefined;
  /** The code of a call whose answer does not show it in its head. */
  code: string | undefined;
}

/**
 * Where what is known of a request is kept, for as long as there is the request: a WeakMap would cost the
 * collector more than the rest of admission costs.
 */
const ADMITTED: unique symbol = Symbol("admitted");

interface Marked {
  [ADMITTED]?: Admitted;
}

/** Sees requests begin and end. */
export interface ExchangeObserver {
  /**
   * Sees one begin.
   *
   * @param kind what it is counted as; there are few
   * @returns what sees it end, with the code of its end; `admitted` is undefined when it was not let in
   */
  begin(exchange: Exchange, kind: string): (code: string, admitted: Admitted | undefined) => void;
  /** Runs what serves it, and all that this starts. Default: just so. */
  run?(exchange: Exchange, task: () => void): void;
}

/** Who is let in. */
export interface AdmissionRules {
  readonly access: Access;
  readonly browser: BrowserRules;
}

/** What admission works with. */
export interface AdmissionOptions {
  readonly rules: AdmissionRules;
  readonly pace: Pace;
  /** Requests that may be under way at once; from one address half of them. */
  readonly requestsAtOnce: number;
  /** Uploads that one principal may have at once. */
  readonly uploadsAtOnce: number;
  /** Bytes that one principal may send in a day to be stored. */
  readonly uploadBytesPerDay: number;
  readonly observers: readonly ExchangeObserver[];
  /** What a request is counted as. */
  readonly kindOf: (method: string, path: string) => string;
}

/**
 * The door that every request passes, whatever protocol it is of. What is decided here is decided
 * nowhere else: who sends it, whether they may, and how long they may take.
 */
export class Admission {
  readonly #pace: Pace;
  readonly #observers: readonly ExchangeObserver[];
  readonly #kindOf: AdmissionOptions["kindOf"];
  readonly #refusals = new RefusalRate();
  readonly #open: OpenRequests;
  readonly #uploads: UploadsAtOnce;
  readonly #volume: UploadVolume;
  /** Those that run what serves a request. */
  readonly #around: readonly Required<ExchangeObserver>[];
  #rules: AdmissionRules;

  constructor(options: AdmissionOptions) {
    const { rules, pace, observers, kindOf, requestsAtOnce, uploadsAtOnce, uploadBytesPerDay } = options;
    this.#open = new OpenRequests(requestsAtOnce);
    this.#uploads = new UploadsAtOnce(uploadsAtOnce);
    this.#volume = new UploadVolume(uploadBytesPerDay);
    this.#rules = rules;
    this.#kindOf = kindOf;
    this.#pace = pace;
    this.#observers = observers;
    this.#around = observers.filter((observer) => observer.run !== undefined) as Required<ExchangeObserver>[];
  }

  /** Goes by other rules from here on. */
  setRules(rules: AdmissionRules): void {
    this.#rules = rules;
  }

  /**
   * Lets a request in, or not: calls one of the two, at once unless somebody else has to be asked.
   *
   * @param refuse told also of the origin of a page that may call, and so may read why it is not let in
   */
  enter(
    exchange: Exchange,
    serve: (caller: Caller) => void,
    refuse: (refusal: Refusal, allowedOrigin: string | undefined) => void,
  ): void {
    let hasEnded = false;
    const address = this.#open.begin(exchange);
    this.#watch(exchange, () => {
      hasEnded = true;
      this.#open.end(address);
    });
    const admit = (caller: Caller) => {
      // Its client has left while somebody else was asked who it is.
      if (hasEnded) return;
      try {
        this.#uploads.begin(exchange, caller);
        this.#volume.begin(exchange, caller);
      } catch (error) {
        fail(error);
        return;
      }
      (exchange.key as Marked)[ADMITTED] = { exchange, caller, subject: undefined, code: undefined };
      if (this.#around.length === 0) serve(caller);
      else this.#run(exchange, () => serve(caller));
    };
    const fail = (error: unknown) => {
      if (hasEnded) return;
      // What nobody foresaw is no reason to let somebody in, nor to end.
      const unforeseen = () => new Refusal("TOO_BUSY", "who sends this cannot be found out now");
      // Whoever may come again in a moment does nothing that they may not.
      const isPassing = error instanceof Refusal && error.kind === "TOO_BUSY";
      const isOneTooMany = !isPassing && this.#refusals.note(exchange.connection);
      // An answer of HTTP/1.1 says itself that it is the last one.
      if (isOneTooMany) exchange.endConnection();
      const { origin } = exchange.head.headers;
      const isAllowed = origin !== undefined && this.#rules.browser.isAllowedOrigin(origin);
      refuse(error instanceof Refusal ? error : unforeseen(), isAllowed ? origin : undefined);
    };
    let caller: Caller | Promise<Caller>;
    try {
      this.#open.check(address);
      caller = this.#decide(exchange);
    } catch (error) {
      fail(error);
      return;
    }
    if (caller instanceof Promise) void caller.then(admit, fail);
    else admit(caller);
  }

  /** What is known of a request that was let in. */
  find(request: NodeRequest | IncomingMessage): Admitted | undefined {
    return this.findByKey(exchangeKeyOf(request));
  }

  /** The same, by the key of its exchange. */
  findByKey(key: object): Admitted | undefined {
    return (key as Marked)[ADMITTED];
  }

  /** Who has sent a request that was let in. */
  callerOf(request: NodeRequest | IncomingMessage): Caller | undefined {
    return this.find(request)?.caller;
  }

  /** Notes whether the client of a request owes nothing but its next message. */
  setBetweenMessages(request: NodeRequest | IncomingMessage, isBetween: boolean): void {
    this.#pace.setBetweenMessages(exchangeKeyOf(request), isBetween);
  }

  #watch(exchange: Exchange, onEnd: () => void): void {
    this.#pace.watch(exchange);
    const { method, path } = exchange.head;
    const kind = this.#observers.length === 0 ? "" : this.#kindOf(method, path);
    const ends = this.#observers.map((observer) => observer.begin(exchange, kind));
    exchange.onEnd((code) => {
      onEnd();
      this.#pace.forget(exchange);
      if (ends.length === 0) return;
      const admitted = this.findByKey(exchange.key);
      const actual = code === CUT_OFF ? code : (admitted?.code ?? code);
      for (const end of ends) end(actual, admitted);
    });
  }

  #run(exchange: Exchange, task: () => void): void {
    let around = task;
    for (const observer of this.#around) {
      const within = around;
      around = () => observer.run(exchange, within);
    }
    around();
  }

  /** @throws Refusal */
  #decide({ head: { method, headers, host }, needed }: Exchange): Caller | Promise<Caller> {
    const { access, browser } = this.#rules;
    const { origin, authorization, "sec-fetch-site": fetchSite } = headers;
    const site = typeof fetchSite === "string" ? fetchSite : undefined;
    checkBrowser({ method, host, origin, site }, browser);
    return access.admit(authorization, needed);
  }
}
