import { startCeph } from "../test/engines/ceph.ts";
import { startPostgres } from "../test/engines/postgres.ts";
import { startProxy } from "../test/engines/proxy.ts";
import { openSharedStore } from "@tvix/castore-packs";
import { PostgresRecordStore } from "@tvix/castore-postgres";
import { S3Extents } from "@tvix/castore-s3";
import { servicesOf } from "@tvix/server";
import { ingestNar, renderNar } from "@tvix/store";
import { dumpPath } from "@tvix/nar/fs";
import { mkdtemp } from "node:fs/promises";
const [pg, ceph] = await Promise.all([startPostgres(), startCeph()]);
process.env["AWS_ACCESS_KEY_ID"] = "tvix-key"; process.env["AWS_SECRET_ACCESS_KEY"] = "tvix-secret";
const [pp, pc] = [await startProxy(pg.port), await startProxy(ceph.port)];
const R = pg.freshAddress().replace(`:${pg.port}`, `:${pp.port}`);
const E = ceph.freshAddress(pc.port);
async function open() {
  const records = await PostgresRecordStore.open(R);
  const extents = await S3Extents.open(E, { records });
  return { store: await openSharedStore({ records, extents }, { scratchFolder: await mkdtemp("/tmp/scr-") }), extents };
}
const xacts = async () => Number(await pg.query("select xact_commit from pg_stat_database where datname='postgres'"));
for (const folder of process.argv.slice(2)) {
  pp.latencyMs = pc.latencyMs = 0;
  const a = await open();
  let t = performance.now();
  const x0 = await xacts();
  const { node, narSize } = await ingestNar(dumpPath(folder), a.store as never);
  console.log(folder, "ingest", narSize, "B", ((performance.now() - t) / 1000).toFixed(2), "s; requests", a.extents.requests);
  await a.store.close();
  await new Promise(r => setTimeout(r, 1500));
  console.log("xacts", (await xacts()) - x0);
  for (const latency of [0, 15]) {
    pp.latencyMs = pc.latencyMs = latency;
    const b = await open();
    const s = servicesOf(b.store);
    const x1 = await xacts();
    t = performance.now();
    let bytes = 0;
    for await (const piece of renderNar(node, s)) bytes += piece.length;
    const sec = (performance.now() - t) / 1000;
    console.log("latency", latency * 2, "read", (bytes / 1e6 / sec).toFixed(0), "MB/s", sec.toFixed(2), "s, requests", b.extents.requests);
    t = performance.now(); bytes = 0;
    for await (const piece of renderNar(node, s)) bytes += piece.length;
    console.log("  again", (bytes / 1e6 / ((performance.now() - t) / 1000)).toFixed(0), "MB/s");
    await b.store.close();
    await new Promise(r => setTimeout(r, 1200));
    console.log("  xacts", (await xacts()) - x1);
  }
}
for (const x of [pp, pc, pg, ceph]) await x[Symbol.asyncDispose]();
process.exit(0);
