import { CastoreError } from "@tvix/castore";
import type { ClientBase } from "pg";

/** One step of the tables, from the version before. `SCHEMA` stands for the name of the schema. */
interface Migration {
  readonly version: number;
  /** The oldest version of this software's tables whose servers go on working beside it. */
  readonly worksWith: number;
  readonly sql: string;
}

/**
 * Records, and which writes were done: whoever has lost the connection in the middle of a write asks for that again,
 * and is told how it ended.
 *
 * All of a group of writes is one call: locks are held for as long as the database takes, and not for journeys
 * over the net. Conditions hold because whoever changes a key, or looks at it for a condition, holds the lock of its
 * shard until the end of the transaction; locks are taken in the order of their numbers, so nobody waits in a
 * circle. Look-ups go by the index, whatever the planner knows of the size of the table.
 */
const FIRST = `
CREATE TABLE SCHEMA.records (key bytea PRIMARY KEY, value bytea NOT NULL);
ALTER TABLE SCHEMA.records ALTER COLUMN value SET STORAGE EXTERNAL;
CREATE TABLE SCHEMA.attempts (id uuid PRIMARY KEY, refused int[] NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ON SCHEMA.attempts (at);

CREATE FUNCTION SCHEMA.write_records(
  attempt uuid, bytes bytea, shared int[], exclusive int[],
  c_write int[], c_key int[], c_key_length int[], c_value int[], c_value_length int[],
  p_write int[], p_key int[], p_key_length int[], p_value int[], p_value_length int[],
  d_write int[], d_key int[], d_key_length int[]
) RETURNS int[] LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
  refusals int[];
  room int := 'SCHEMA.records'::regclass::oid::int;
  shard int;
  is_exclusive boolean;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'conditions need the isolation read committed';
  END IF;
  FOR shard, is_exclusive IN
    SELECT t.number, t.is_exclusive FROM (
      SELECT unnest(shared) AS number, false AS is_exclusive
      UNION ALL SELECT unnest(exclusive), true
    ) t ORDER BY 1
  LOOP
    IF is_exclusive THEN PERFORM pg_advisory_xact_lock(room, shard);
    ELSE PERFORM pg_advisory_xact_lock_shared(room, shard);
    END IF;
  END LOOP;
  SELECT a.refused INTO refusals FROM SCHEMA.attempts a WHERE a.id = attempt;
  IF FOUND THEN RETURN refusals; END IF;
  SELECT coalesce(array_agg(DISTINCT c.number), '{}') INTO refusals
  FROM unnest(c_write, c_key, c_key_length, c_value, c_value_length) AS c(number, key, key_length, value, value_length)
  LEFT JOIN SCHEMA.records r ON r.key = substring(bytes FROM c.key FOR c.key_length)
  WHERE CASE WHEN c.value_length < 0 THEN r.key IS NOT NULL
    ELSE r.value IS DISTINCT FROM substring(bytes FROM c.value FOR c.value_length) END;
  INSERT INTO SCHEMA.records AS r (key, value)
  SELECT substring(bytes FROM p.key FOR p.key_length), substring(bytes FROM p.value FOR p.value_length)
  FROM unnest(p_write, p_key, p_key_length, p_value, p_value_length) AS p(number, key, key_length, value, value_length)
  WHERE NOT p.number = ANY (refusals)
  ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE r.value IS DISTINCT FROM excluded.value;
  DELETE FROM SCHEMA.records r
  USING unnest(d_write, d_key, d_key_length) AS d(number, key, key_length)
  WHERE r.key = substring(bytes FROM d.key FOR d.key_length) AND NOT d.number = ANY (refusals);
  INSERT INTO SCHEMA.attempts (id, refused) VALUES (attempt, refusals) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN SELECT a.refused INTO refusals FROM SCHEMA.attempts a WHERE a.id = attempt; END IF;
  RETURN refusals;
END $$;
`;

const MIGRATIONS: readonly Migration[] = [{ version: 1, worksWith: 1, sql: FIRST }];

/** Version of the tables that this software knows. */
const VERSION = 1;

/**
 * Makes the tables of a store where there are none, and brings older ones to what they are now. Several may do that at
 * once.
 *
 * @param create whether they may be made; else it is NOT_A_STORE that there are none
 * @throws CastoreError UNKNOWN_FORMAT for tables with which this version does not work
 */
export async function migrate(client: ClientBase, schema: string, create: boolean): Promise<void> {
  const found = await versionOf(client, schema);
  if (found === undefined && !create) {
    throw new CastoreError("NOT_A_STORE", `there is no store in the schema ${schema} of the database`);
  }
  if (found?.version === VERSION) return;
  await client.query("BEGIN");
  try {
    // All who migrate any store of this database, one after the other.
    await client.query("SELECT pg_advisory_xact_lock(1953919352)");
    const now = await versionOf(client, schema);
    if (now !== undefined && now.worksWith > VERSION) throw unknownVersion(schema, now.version);
    if (now === undefined) {
      await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
      await client.query(`CREATE TABLE ${schema}.version (version int NOT NULL, works_with int NOT NULL)`);
      await client.query(`INSERT INTO ${schema}.version VALUES (0, 0)`);
    }
    for (const { version, worksWith, sql } of MIGRATIONS) {
      if (version <= (now?.version ?? 0)) continue;
      await client.query(sql.replaceAll("SCHEMA", schema));
      await client.query(`UPDATE ${schema}.version SET version = $1, works_with = $2`, [version, worksWith]);
    }
    await client.query("COMMIT");
  } catch (error) {
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

interface FoundVersion {
  readonly version: number;
  readonly worksWith: number;
}

async function versionOf(client: ClientBase, schema: string): Promise<FoundVersion | undefined> {
  // Not by `to_regclass`, which within a transaction goes on not to see what others have made meanwhile.
  const { rows: tables } = await client.query(
    "SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename = 'version'",
    [schema],
  );
  if (tables.length === 0) return undefined;
  const { rows } = await client.query<FoundVersion>(
    `SELECT version, works_with AS "worksWith" FROM ${schema}.version`,
  );
  return rows[0];
}

function unknownVersion(schema: string, version: number): CastoreError {
  return new CastoreError(
    "UNKNOWN_FORMAT",
    `the store in the schema ${schema} has version ${version}, this software works with ${VERSION}`,
  );
}
