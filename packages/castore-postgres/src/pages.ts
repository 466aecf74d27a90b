import type { RecordRange } from "@tvix/castore";
import { prefixEnd } from "@tvix/castore/backend";
import type { PreparedQuery } from "./patient-pool.ts";

/** Records, and bytes of values, of a page at the most; one record is there whatever its size. */
const FIRST_PAGE = 64;
const PAGE_RECORDS = 2000;
const PAGE_BYTES = 1 << 20;

interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
  /** How many there are up to the bound of their number. */
  readonly found: number;
}

/** Asks for rows. */
export type Query = (query: PreparedQuery, values: readonly unknown[]) => Promise<Row[]>;

/** The records of a range, a page at a time. */
export async function* readPages(
  query: Query,
  schema: string,
  { prefix, after }: RecordRange,
): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array], void, undefined> {
  const end = prefixEnd(prefix);
  const isBehind = after !== undefined && Buffer.compare(after, prefix) >= 0;
  let [start, isKnown] = isBehind ? [after, true] : [prefix, false];
  for (let limit = FIRST_PAGE; ; limit = PAGE_RECORDS) {
    const rows = await query(pageOf(schema, isKnown, end !== undefined), [
      start,
      limit,
      ...(end === undefined ? [] : [end]),
    ]);
    for (const { key, value } of rows) yield [new Uint8Array(key), new Uint8Array(value)];
    const last = rows.at(-1);
    if (last === undefined || (rows.length === last.found && last.found < limit)) return;
    [start, isKnown] = [new Uint8Array(last.key), true];
  }
}

function pageOf(schema: string, isKnown: boolean, hasEnd: boolean): PreparedQuery {
  const range = `key ${isKnown ? ">" : ">="} $1 ${hasEnd ? "AND key < $3" : ""}`;
  const text = `
    SELECT key, value, found FROM (
      SELECT key, value, count(*) OVER ()::int AS found,
        sum(octet_length(value)) OVER (ORDER BY key) - octet_length(value) AS before
      FROM (SELECT key, value FROM ${schema}.records WHERE ${range} ORDER BY key LIMIT $2) AS page
    ) AS counted WHERE before < ${PAGE_BYTES} ORDER BY key`;
  return { name: `page-${isKnown}-${hasEnd}`, text };
}
