import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { freePort } from "./postgres.ts";

const run = promisify(execFile);

/** Why there is no S3-compatible store to test with; undefined where there is one. */
export const NO_CEPH: string | undefined = [
  "ceph-mon",
  "ceph-osd",
  "ceph-mgr",
  "radosgw",
  "radosgw-admin",
].every((program) => spawnSync("which", [program]).status === 0)
  ? undefined
  : "Ceph is not installed (Debian: ceph-mon ceph-osd ceph-mgr radosgw)";

/** An S3-compatible store of a test's own: Ceph, whose objects are in memory. */
export interface CephServer extends AsyncDisposable {
  readonly port: number;
  /** What the store is told by who may use it. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** The address of a new prefix in a bucket; through a proxy at another port. */
  freshAddress(port?: number): string;
}

const CREDENTIALS = { accessKeyId: "tvix-key", secretAccessKey: "tvix-secret" };

/** The bucket that the tests make and use. */
export const BUCKET = "tvix-test";

/** Starts one of each of its parts on loopback: some fifteen seconds. */
export async function startCeph(): Promise<CephServer> {
  const folder = await mkdtemp(join(tmpdir(), "ceph-"));
  const [monitor, gateway] = [await freePort(), await freePort()];
  const id = randomUUID();
  const keyring = join(folder, "keyring");
  for (const part of ["mon", "osd", "mgr", "rgw", "run"]) await mkdir(join(folder, part));
  const settings = join(folder, "ceph.conf");
  await writeFile(settings, configuration(folder, id, monitor, gateway));
  const tool = async (program: string, ...args: string[]) => await run(program, args, { cwd: folder });
  await tool("ceph-authtool", "-C", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *");
  for (const name of ["client.admin", "osd.0", "mgr.x", "client.rgw"]) {
    const may = ["mon", "osd", "mgr"].flatMap((part) => ["--cap", part, "allow *"]);
    await tool("ceph-authtool", keyring, "--gen-key", "-n", name, ...may);
  }
  const address = `[v2:127.0.0.1:${monitor}]`;
  await tool("monmaptool", "--create", "--addv", "a", address, "--fsid", id, "monmap");
  await tool("monmaptool", "--enable-all-features", "--set-min-mon-release", "pacific", "monmap");
  await tool("ceph-mon", "-c", settings, "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", keyring);
  const parts: ChildProcess[] = [];
  const start = (program: string, ...args: string[]) => {
    parts.push(spawn(program, ["-c", settings, "-f", ...args], { cwd: folder, stdio: "ignore" }));
  };
  start("ceph-mon", "-i", "a");
  start("ceph-mgr", "-i", "x");
  await tool("ceph-osd", "-c", settings, "-i", "0", "--mkfs", "--osd-uuid", randomUUID());
  start("ceph-osd", "-i", "0");
  start("radosgw", "-n", "client.rgw");
  const { accessKeyId, secretAccessKey } = CREDENTIALS;
  const user = [
    "--uid=tvix",
    "--display-name=tvix",
    `--access-key=${accessKeyId}`,
    `--secret-key=${secretAccessKey}`,
  ];
  await tool(
    "radosgw-admin",
    "-c",
    settings,
    "-n",
    "client.admin",
    "--keyring",
    keyring,
    "user",
    "create",
    ...user,
  );
  const url = `http://127.0.0.1:${gateway}/`;
  while (
    !(await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    const ended = parts.find(({ exitCode }) => exitCode !== null);
    if (ended !== undefined) throw new Error(`${ended.spawnfile} ended with ${ended.exitCode}`);
    await promisify(setTimeout)(100);
  }
  const client = new S3Client({
    endpoint: url,
    region: "us-east-1",
    credentials: CREDENTIALS,
    forcePathStyle: true,
    maxAttempts: 20,
  });
  await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  client.destroy();
  let prefixes = 0;
  return {
    port: gateway,
    credentials: CREDENTIALS,
    freshAddress: (port = gateway) =>
      `s3://${BUCKET}/store-${++prefixes}?endpoint=${encodeURIComponent(`http://127.0.0.1:${port}`)}&region=us-east-1`,
    async [Symbol.asyncDispose]() {
      for (const part of parts.toReversed()) {
        if (part.exitCode !== null || part.signalCode !== null) continue;
        const exited = once(part, "exit");
        part.kill("SIGKILL");
        await exited;
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configuration(folder: string, id: string, monitor: number, gateway: number): string {
  return `
[global]
fsid = ${id}
mon host = v2:127.0.0.1:${monitor}
mon initial members = a
public addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = ${folder}/keyring
run dir = ${folder}/run
admin socket = ${folder}/run/$name.asok
log file = ${folder}/run/$name.log
pid file = ${folder}/run/$name.pid
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 1
mon data avail warn = 2
osd pool default pg num = 4
osd pool default pgp num = 4
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 8589934592
[mon.a]
mon data = ${folder}/mon
[osd.0]
osd data = ${folder}/osd
[mgr.x]
mgr data = ${folder}/mgr
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:${gateway}
rgw data = ${folder}/rgw
`;
}
