import type { IncomingHttpHeaders } from "node:http";
import type { Scope } from "./scope.ts";

/** The head of a request, of whatever protocol. */
export interface RequestHead {
  readonly method: string;
  /** Without a query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** What the server was called; undefined for HTTP/2 in clear text, which no browser speaks. */
  readonly host: string | undefined;
}

/** The path of an address, without its query. */
export function pathOf(address: string): string {
  const query = address.indexOf("?");
  return query < 0 ? address : address.slice(0, query);
}

/** A request and its answer, of whatever version of HTTP, from its head to its end. */
export interface Exchange {
  readonly head: RequestHead;
  readonly version: "HTTP/1.1" | "HTTP/2";
  /** What it needs who sends it; undefined for what everybody may ask for. */
  readonly needed: Scope | undefined;
  /** What handlers know it by. */
  readonly key: object;
  /** The connection it came on. */
  readonly connection: object;
  /** The address it came from; undefined for a Unix socket. */
  readonly from: string | undefined;
  /** Bytes of the request that have come. */
  readonly received: number;
  /** Bytes of the answer that have gone out. */
  readonly sent: number;
  /** Bytes that its connection has moved, in both directions. */
  readonly connectionBytes: number;
  /** Whether nothing goes on before the client sends more of its request. */
  readonly awaitsRequest: boolean;
  /** Whether the client has not yet taken what it was sent. */
  readonly awaitsReader: boolean;
  /** Calls back once it has ended, with the code it ended with. */
  onEnd(listener: (code: string) => void): void;
  /** Ends it in the middle. */
  cut(): void;
  /** Ends its connection, once what has been answered is on its way. */
  endConnection(): void;
}
