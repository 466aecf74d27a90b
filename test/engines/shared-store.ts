import { openSharedStore, type Store } from "@tvix/castore-packs";
import { PostgresRecordStore } from "@tvix/castore-postgres";
import { S3Extents } from "@tvix/castore-s3";
import { temporaryDirectory } from "../temporary.ts";
import { type CephServer, NO_CEPH, startCeph } from "./ceph.ts";
import { NO_POSTGRES, type PostgresServer, startPostgres } from "./postgres.ts";

/** Why there are no engines to test with; undefined where there are. */
export const NO_ENGINES: string | undefined = NO_POSTGRES ?? NO_CEPH;

/** The engines of a store that several servers share. */
export interface Engines extends AsyncDisposable {
  readonly postgres: PostgresServer;
  readonly ceph: CephServer;
  /** The addresses of a new store. */
  freshAddresses(): StoreAddresses;
}

/** Where a store lies. */
export interface StoreAddresses {
  readonly records: string;
  readonly extents: string;
}

/** Starts both engines. Who may use the object store stands in the environment of this process. */
export async function startEngines(): Promise<Engines> {
  const [postgres, ceph] = await Promise.all([startPostgres(), startCeph()]);
  process.env["AWS_ACCESS_KEY_ID"] = ceph.credentials.accessKeyId;
  process.env["AWS_SECRET_ACCESS_KEY"] = ceph.credentials.secretAccessKey;
  return {
    postgres,
    ceph,
    freshAddresses: () => ({ records: postgres.freshAddress(), extents: ceph.freshAddress() }),
    async [Symbol.asyncDispose]() {
      await Promise.all([postgres[Symbol.asyncDispose](), ceph[Symbol.asyncDispose]()]);
    },
  };
}

/** Opens a store as a server does; its folder goes with the test. */
export async function openShared({ records: address, extents }: StoreAddresses): Promise<Store> {
  const records = await PostgresRecordStore.open(address);
  return await openSharedStore(
    { records, extents: await S3Extents.open(extents, { records }) },
    { scratchFolder: await temporaryDirectory() },
  );
}
