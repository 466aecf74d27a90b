/**
 * Records of `@tvix/castore` in PostgreSQL: what any number of servers share.
 *
 * @module
 */
export { type PostgresAddress, parsePostgresAddress } from "./address.ts";
export { type PostgresOptions, PostgresRecordStore } from "./postgres-record-store.ts";
