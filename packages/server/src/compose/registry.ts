import { blobTypes } from "./blob-types.ts";
import { directoryTypes } from "./directory-types.ts";
import type { Entry } from "./entry.ts";
import { KeyError, type Table } from "./keys.ts";
import { pathInfoTypes } from "./path-info-types.ts";
import type { ServiceKind } from "./service-kind.ts";
import type { ServiceType } from "./service-type.ts";

/** Every type of each kind of services. */
const TYPES: { readonly [K in ServiceKind]: readonly ServiceType<K>[] } = {
  blob: blobTypes(entryOfAddress),
  directory: directoryTypes(entryOfAddress),
  "path-info": pathInfoTypes(entryOfAddress),
};

/** Types of tvix-store and snix-store that there are none of here. */
const OF_THE_REFERENCE: ReadonlySet<string> = new Set(["objectstore", "redb", "bigtable"]);

/**
 * Reads the address of a service: `memory://`, `level:///path`, `grpc+http(s)://host:port`,
 * `grpc+unix:///path`, `postgres://…`, `s3://…` for blobs, `cache://?near=…&far=…`, and `nix+http(s)://…` for path infos.
 *
 * @throws RangeError that names the address and the part that is wrong, without a password
 */
export function entryOfAddress<K extends ServiceKind>(kind: K, address: string): Entry<K> {
  const shown = JSON.stringify(address.replace(/\/\/.*@/s, "//…@"));
  const refuse = (why: string, cause?: unknown) =>
    new RangeError(`invalid address of a ${kind} service ${shown}: ${why}`, { cause });
  const url = URL.parse(address);
  if (url === null) throw refuse("unable to parse url");
  const scheme = url.protocol.slice(0, -1).split("+", 1)[0] ?? "";
  const type = typeNamed(kind, scheme);
  if (type?.ofAddress === undefined)
    throw refuse(unknownType(kind, scheme, (one) => one.ofAddress !== undefined));
  try {
    return type.ofAddress(address, url);
  } catch (cause) {
    if (!(cause instanceof RangeError || cause instanceof TypeError)) throw cause;
    throw refuse(cause.message, cause);
  }
}

/**
 * Reads a table of a composition.
 *
 * @throws KeyError for the first key that is wrong, missing or unknown
 */
export function entryOfTable<K extends ServiceKind>(kind: K, table: Table): Entry<K> {
  const name = table.get("type");
  if (typeof name !== "string") {
    throw new KeyError(table.has("type") ? "type" : undefined, "type is missing, or is no text");
  }
  const type = typeNamed(kind, name);
  if (type === undefined)
    throw new KeyError(
      "type",
      unknownType(kind, name, () => true),
    );
  const keys = new Map(table);
  keys.delete("type");
  return type.ofTable(keys);
}

function typeNamed<K extends ServiceKind>(kind: K, name: string): ServiceType<K> | undefined {
  const types: readonly ServiceType<K>[] = TYPES[kind];
  return types.find(({ type }) => type === name);
}

function unknownType<K extends ServiceKind>(
  kind: K,
  name: string,
  counts: (type: ServiceType<K>) => boolean,
): string {
  const types: readonly ServiceType<K>[] = TYPES[kind];
  const known = types.filter(counts).map(({ type }) => type);
  const hint = OF_THE_REFERENCE.has(name)
    ? "tvix-store has it, this store keeps data in level:///path; "
    : "";
  return `Unknown type: ${name}; ${hint}there are ${known.join(", ")}`;
}
