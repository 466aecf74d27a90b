import type { OpenContext } from "./open-context.ts";
import type { ServiceKind, ServiceOfKind } from "./service-kind.ts";

/** A service that is open. */
export interface Opened<T> {
  readonly service: T;
  /** Frees what it holds; what it is made of is closed by others. */
  readonly close?: (() => Promise<void>) | undefined;
}

/** Another entry of a composition, by its name. */
export interface Reference<K extends ServiceKind = ServiceKind> {
  readonly kind: K;
  readonly name: string;
}

/** What a service is made of: a named entry, which all who name it share, or one of its own. */
export type Part<K extends ServiceKind = ServiceKind> = Reference<K> | Entry<K>;

/** What one service is made from: read and checked, not opened. */
export interface Entry<K extends ServiceKind = ServiceKind> {
  readonly kind: K;
  /** Such as `grpc`. */
  readonly type: string;
  /** What else is said of it, in words for people; without secrets. */
  readonly settings: ReadonlyMap<string, string>;
  readonly parts: ReadonlyMap<string, Part>;
  open(context: OpenContext): Promise<Opened<ServiceOfKind[K]>>;
}

/** Whether a part is an entry of its own. */
export function isEntry<K extends ServiceKind>(part: Part<K>): part is Entry<K> {
  return "open" in part;
}
