import { type Entry, isEntry, type OpenContext, type Opened, type Part } from "./entry.ts";
import type { Table } from "./keys.ts";
import type { ServiceKind, ServiceOfKind } from "./service-kind.ts";

/** A type of services, as a composition names it. */
export interface ServiceType<K extends ServiceKind> {
  readonly type: string;
  /** @throws KeyError */
  ofTable(table: Table): Entry<K>;
  /** Absent where there are no addresses of this type. @throws RangeError that names the part that is wrong */
  ofAddress?(address: string, url: URL): Entry<K>;
}

/** What a type of services is. */
export interface ServiceTypeDeclaration<K extends ServiceKind, C extends object> {
  readonly kind: K;
  readonly type: string;
  /** What its table says. @throws KeyError */
  readonly ofTable: (table: Table) => C;
  /** What an address says; absent where there are none. */
  readonly ofAddress?: (address: string, url: URL) => C;
  open(config: C, context: OpenContext): Promise<Opened<ServiceOfKind[K]>>;
}

/** A type of services that is read from tables and addresses alike. */
export function serviceType<K extends ServiceKind, C extends object>(
  declaration: ServiceTypeDeclaration<K, C>,
): ServiceType<K> {
  const { kind, type, ofTable, ofAddress, open } = declaration;
  const entryOf = (config: C): Entry<K> => ({
    kind,
    type,
    ...shownOf(config),
    open: (context) => open(config, context),
  });
  return {
    type,
    ofTable: (table) => entryOf(ofTable(table)),
    ...(ofAddress === undefined ? {} : { ofAddress: (address, url) => entryOf(ofAddress(address, url)) }),
  };
}

function shownOf(config: object): Pick<Entry, "settings" | "parts"> {
  const settings = new Map<string, string>();
  const parts = new Map<string, Part>();
  for (const [name, value] of Object.entries(config)) {
    if (value === undefined) continue;
    if (isPart(value)) parts.set(name, value);
    else settings.set(name, Array.isArray(value) ? value.join(", ") : String(value));
  }
  return { settings, parts };
}

function isPart(value: unknown): value is Part {
  return (
    typeof value === "object" &&
    value !== null &&
    "kind" in value &&
    ("name" in value || isEntry(value as Part))
  );
}
