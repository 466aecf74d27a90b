import { Bag, type InBag } from "./bag.ts";
import type { Exchange } from "./exchange.ts";

/** How long clients may keep a server waiting, in milliseconds. */
export interface TimeLimits {
  /** Without sending more of a request, or reading on in an answer; noticed after twice that at the latest. */
  readonly stallMs: number;
  /** The same between two messages of a call, where a client may have to make the next one first. */
  readonly patienceMs: number;
  /** From the head of a request to the end of its answer. */
  readonly requestMs: number;
}

/** What a client sends or reads at the least while it is waited for: with less it keeps a place for nothing. */
const LEAST_BYTES_PER_SECOND = 1024;

/** How often clients are looked at, at the least, in milliseconds. */
const INTERVAL_MS = 1000;

/** An exchange under way, and what had moved when it was last looked at closely. */
interface Watched extends InBag {
  readonly exchange: Exchange;
  readonly begun: number;
  /** Whether it sends something to be stored. */
  readonly isUpload: boolean;
  /** Since when the client has been waited for. */
  waitedSince: number;
  bytes: number;
  /** Undefined until it is looked at for the first time: most have ended before. */
  connectionBytes: number | undefined;
  /** Since when the client has owed nothing but the next message; undefined: it owes more. */
  betweenMessagesSince: number | undefined;
}

/** Where what is watched is kept, by the key of its exchange. */
const WATCHED: unique symbol = Symbol("watched");

interface Marked {
  [WATCHED]?: Watched;
}

/**
 * Gives up exchanges whose clients keep the server waiting, whatever protocol they speak. Whoever waits
 * for the server is left alone, however long that takes. A connection that is slow is shared by its
 * exchanges: it is enough when it moves as a whole, unless others wait for what each of them holds.
 */
export class Pace {
  readonly #limits: TimeLimits;
  readonly #isContended: () => boolean;
  readonly #watched = new Bag<Watched>();
  readonly #timer: NodeJS.Timeout;

  /** @param isContended whether others wait for what a slow client may hold */
  constructor(limits: TimeLimits, isContended: () => boolean) {
    this.#limits = limits;
    this.#isContended = isContended;
    const interval = Math.max(10, Math.min(INTERVAL_MS, limits.stallMs / 4));
    this.#timer = setInterval(() => this.#look(performance.now()), interval).unref();
  }

  /** Looks after an exchange until it is forgotten. */
  watch(exchange: Exchange): void {
    const now = performance.now();
    const watched: Watched = {
      exchange,
      begun: now,
      isUpload: exchange.needed === "write",
      waitedSince: now,
      bytes: 0,
      connectionBytes: undefined,
      betweenMessagesSince: undefined,
      place: undefined,
    };
    (exchange.key as Marked)[WATCHED] = watched;
    this.#watched.add(watched);
  }

  /** Looks after it no more. */
  forget(exchange: Exchange): void {
    const watched = (exchange.key as Marked)[WATCHED];
    if (watched !== undefined) this.#watched.delete(watched);
  }

  /** Notes whether the client of an exchange is between two messages. */
  setBetweenMessages(key: object, isBetween: boolean): void {
    const watched = (key as Marked)[WATCHED];
    if (watched !== undefined) watched.betweenMessagesSince = isBetween ? performance.now() : undefined;
  }

  /** Looks after nothing any more. */
  end(): void {
    clearInterval(this.#timer);
  }

  #look(now: number): void {
    const isContended = this.#isContended();
    // What ends meanwhile is no longer there.
    for (const watched of [...this.#watched]) {
      if (watched.place === undefined || !this.#isOver(watched, now, isContended)) continue;
      this.#watched.delete(watched);
      watched.exchange.cut();
    }
  }

  #isOver(watched: Watched, now: number, isContended: boolean): boolean {
    const { stallMs, patienceMs, requestMs } = this.#limits;
    if (now - watched.begun > requestMs) return true;
    const { exchange, betweenMessagesSince } = watched;
    watched.connectionBytes ??= exchange.connectionBytes;
    const isPatient = betweenMessagesSince !== undefined && !isContended;
    if (isPatient && now - betweenMessagesSince > patienceMs) return true;
    if (isPatient || !(exchange.awaitsRequest || exchange.awaitsReader)) waitAgain(watched, now);
    else if (now - watched.waitedSince > stallMs) {
      if (!this.#hasMoved(watched, isContended)) return true;
      waitAgain(watched, now);
    }
    return false;
  }

  /** Whether enough has moved while the client was waited for. */
  #hasMoved({ exchange, isUpload, ...before }: Watched, isContended: boolean): boolean {
    const least = (LEAST_BYTES_PER_SECOND * this.#limits.stallMs) / 1000;
    const ofConnection = exchange.connectionBytes - (before.connectionBytes ?? 0);
    const isOfConnection = !isContended && ofConnection >= least;
    // A client that talks with us says little: that is no reason to give it up.
    const isTalk = !isUpload && !exchange.awaitsReader;
    return isOfConnection || exchange.received + exchange.sent - before.bytes >= (isTalk ? 1 : least);
  }
}

/** Begins to wait for a client, from what there is by now. */
function waitAgain(watched: Watched, now: number): void {
  const { exchange } = watched;
  watched.waitedSince = now;
  watched.bytes = exchange.received + exchange.sent;
  watched.connectionBytes = exchange.connectionBytes;
}
