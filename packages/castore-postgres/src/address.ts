/** Where the records of a store are. */
export interface PostgresAddress {
  /** The address without its password, for people. */
  toString(): string;
  /** The connection string, with all that is said of the connection. */
  readonly connectionString: string;
  /** The schema in which the tables are. */
  readonly schema: string;
}

const DEFAULT_SCHEMA = "tvix_store";

/** Up to the length of a name in PostgreSQL; what needs no quotes. */
const SCHEMA = /^[a-z_][a-z0-9_]{0,62}$/;

/** What may be said of a connection, as in the addresses of libpq. */
const PARAMETERS: ReadonlySet<string> = new Set([
  "schema",
  "host",
  "port",
  "user",
  "password",
  "dbname",
  "application_name",
  "connect_timeout",
  "options",
  "sslmode",
  "sslcert",
  "sslkey",
  "sslrootcert",
  "uselibpqcompat",
]);

/**
 * Reads `postgres://[user[:password]@]host[:port]/database[?parameter=…]`. Besides those of libpq there is the parameter
 * `schema`: the schema of the tables, `tvix_store` by default. What is not said comes from the usual variables
 * (`PGUSER`, `PGPASSWORD`, …) and `~/.pgpass`; a socket is `postgres:///database?host=/run/postgresql`.
 *
 * @throws RangeError that says what is wrong, and not the address: there may be a password in it
 */
export function parsePostgresAddress(text: string): PostgresAddress {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "postgres:" && url.protocol !== "postgresql:")) {
    throw new RangeError("expected postgres://user@host:port/database");
  }
  if (url.hash !== "") throw new RangeError("nothing may follow a #");
  for (const name of url.searchParams.keys()) {
    if (PARAMETERS.has(name)) continue;
    throw new RangeError(
      `there is no parameter ${JSON.stringify(name)}; there are ${[...PARAMETERS].join(", ")}`,
    );
  }
  const schema = url.searchParams.get("schema") ?? DEFAULT_SCHEMA;
  if (!SCHEMA.test(schema) || schema.startsWith("pg_")) {
    throw new RangeError("a schema is up to 63 letters a to z, digits and _, and does not begin with pg_");
  }
  url.searchParams.delete("schema");
  return { toString: () => withoutPassword(text), connectionString: url.href, schema };
}

function withoutPassword(text: string): string {
  const url = new URL(text);
  if (url.password !== "") url.password = "***";
  if (url.searchParams.has("password")) url.searchParams.set("password", "***");
  return url.href;
}
