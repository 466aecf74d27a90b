import type { Principal } from "@tvix/castore";
import { type Credentials, parseCredentials } from "./credentials.ts";
import { Refusal } from "./refusal.ts";
import { includes, type Scope } from "./scope.ts";

/** Somebody who asks, with what they may do. */
export interface Caller extends Principal {
  readonly scope: Scope;
}

/** Knows whom a token stands for. */
export interface Authenticator {
  /** Whether there is anybody whom it could know. */
  readonly any: boolean;
  /**
   * Whom a token stands for; undefined when it is none of this kind.
   *
   * @throws Refusal when it is one, and not valid
   */
  authenticate(token: string): Caller | undefined | Promise<Caller | undefined>;
}

/** What may be done without a token. */
export interface OpenAccess {
  /** Whether anybody may read. */
  readonly reads: boolean;
  /** Whether anybody may add; `auto`: as long as nobody has a token and only this machine can connect. */
  readonly writes: boolean | "auto";
}

/** Who sends a request without a token. */
export const ANYBODY: Omit<Caller, "scope"> = { name: "anybody", mayReplace: false, pathPrefix: undefined };

/** The same with what anybody may do. */
const ANYBODY_WITH: Readonly<Record<Scope, Caller>> = {
  read: { ...ANYBODY, scope: "read" },
  write: { ...ANYBODY, scope: "write" },
  admin: { ...ANYBODY, scope: "admin" },
};

/** Decides who may do what. */
export class Access {
  readonly #authenticators: readonly Authenticator[];
  readonly #open: OpenAccess;
  readonly #isLocal: boolean;

  /** @param isLocal whether only this machine can connect */
  constructor(authenticators: readonly Authenticator[], open: OpenAccess, isLocal: boolean) {
    this.#authenticators = authenticators;
    this.#open = open;
    this.#isLocal = isLocal;
  }

  /**
   * Who sends a request, if they may.
   *
   * @param needed undefined for what everybody may ask for
   * @throws Refusal
   */
  admit(authorization: string | undefined, needed: Scope | undefined): Caller | Promise<Caller> {
    const credentials = parseCredentials(authorization);
    const known = this.#identify(credentials);
    if (known instanceof Promise) return known.then((caller) => this.#decide(caller, needed));
    return this.#decide(known, needed);
  }

  #decide(caller: Caller | undefined, needed: Scope | undefined): Caller {
    const scope = this.#openScope;
    if (caller === undefined) {
      if (needed === undefined) return ANYBODY_WITH.read;
      if (scope !== undefined && includes(scope, needed)) return ANYBODY_WITH[scope];
      throw new Refusal("UNAUTHENTICATED", `this needs a token that may ${needed}`);
    }
    if (needed === undefined || includes(caller.scope, needed)) return caller;
    // A token takes away nothing of what anybody may do.
    if (scope !== undefined && includes(scope, needed)) return caller;
    throw new Refusal(
      "FORBIDDEN",
      `${caller.name} may ${caller.scope}, and this needs one that may ${needed}`,
    );
  }

  get #openScope(): Scope | undefined {
    const { reads, writes } = this.#open;
    const mayWrite =
      writes === "auto" ? this.#isLocal && !this.#authenticators.some(({ any }) => any) : writes;
    if (!reads) return undefined;
    return mayWrite ? "write" : "read";
  }

  #identify(credentials: Credentials): Caller | undefined | Promise<Caller | undefined> {
    if (credentials.type === "none") return undefined;
    if (credentials.type === "unreadable") {
      throw new Refusal("UNAUTHENTICATED", "the Authorization is neither Bearer nor Basic with a token");
    }
    return this.#ask(credentials.text, 0);
  }

  #ask(token: string, index: number): Caller | Promise<Caller> {
    const authenticator = this.#authenticators[index];
    // Whoever shows a token that is none is told so, also where none is needed: they rely on it.
    if (authenticator === undefined) throw new Refusal("UNAUTHENTICATED", "the token is not known here");
    const found = authenticator.authenticate(token);
    if (found instanceof Promise) return found.then((caller) => caller ?? this.#ask(token, index + 1));
    return found ?? this.#ask(token, index + 1);
  }
}
