import { type PostgresAddress, parsePostgresAddress } from "@tvix/castore-postgres/address";
import { parseS3Address, type S3Address } from "@tvix/castore-s3/address";

/** Where a store lies that several servers share. */
export interface SharedStoreAddress {
  readonly records: PostgresAddress;
  /** Where longer chunks are; undefined: in the records. */
  readonly extents: S3Address | undefined;
}

/** The parameter of each address that names the other one. */
const EXTENTS = "extents";
const RECORDS = "records";

/**
 * Reads `postgres://…`, with a parameter `extents` where longer chunks are elsewhere.
 *
 * @throws RangeError that says what is wrong, without a password
 */
export function sharedStoreOfRecords(url: URL): SharedStoreAddress {
  const [rest, extents] = without(url, EXTENTS);
  return {
    records: parsePostgresAddress(rest),
    extents: extents === undefined ? undefined : parseS3Address(extents),
  };
}

/**
 * Reads `s3://…`, with the parameter `records`.
 *
 * @throws RangeError that says what is wrong, without a password
 */
export function sharedStoreOfExtents(url: URL): SharedStoreAddress {
  const [rest, records] = without(url, RECORDS);
  if (records === undefined) {
    throw new RangeError("the parameter records is missing: where it is known what lies in the objects");
  }
  return { records: parsePostgresAddress(records), extents: parseS3Address(rest) };
}

/** Both as one address, as {@link sharedStoreOfRecords} reads it. */
export function addressOfSharedStore(records: string, extents: string | undefined): string {
  const url = new URL(records);
  if (extents !== undefined) url.searchParams.set(EXTENTS, extents);
  return url.href;
}

/** What tells stores apart: two with the same are one. */
export function keyOfSharedStore({ records, extents }: SharedStoreAddress): string {
  return `${records.connectionString} ${records.schema} ${extents ?? ""}`;
}

function without(url: URL, name: string): readonly [string, string | undefined] {
  const rest = new URL(url);
  const value = rest.searchParams.get(name) ?? undefined;
  rest.searchParams.delete(name);
  return [rest.href, value];
}
