import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync } from "node:fs";
import { chmod, chown, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The newest programs of PostgreSQL that Debian has installed. */
const PROGRAMS = globSync("/usr/lib/postgresql/*/bin").sort().at(-1);

/** Why there is no PostgreSQL to test with; undefined where there is one. */
export const NO_POSTGRES: string | undefined =
  PROGRAMS !== undefined && existsSync(join(PROGRAMS, "initdb"))
    ? undefined
    : "PostgreSQL is not installed (Debian: postgresql)";

/** A PostgreSQL of a test's own. */
export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  /** The address of a store in a new schema. */
  freshAddress(): string;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  /** Begins it again, and waits until it takes connections. */
  start(): Promise<void>;
  /** Bytes of its own counts: round trips and the like. */
  query(sql: string): Promise<string>;
}

/** Starts a PostgreSQL on a port of loopback, with its data in a temporary folder. */
export async function startPostgres(settings: readonly string[] = []): Promise<PostgresServer> {
  if (PROGRAMS === undefined) throw new Error(NO_POSTGRES);
  const programs = PROGRAMS;
  const folder = await mkdtemp(join(tmpdir(), "postgres-"));
  const owner = await ownerOf();
  if (owner !== undefined) await chown(folder, owner.uid, owner.gid);
  await chmod(folder, 0o700);
  const data = join(folder, "data");
  const port = await freePort();
  const environment = { env: { ...process.env, LC_ALL: "C.UTF-8" }, cwd: folder, ...owner };
  await run(
    join(programs, "initdb"),
    ["-D", data, "-U", "tvix", "--auth=trust", "--no-sync", "-E", "UTF8"],
    environment,
  );
  let server: ReturnType<typeof spawn> | undefined;
  const query = async (sql: string) => {
    const { stdout } = await run(
      join(programs, "psql"),
      ["-h", "127.0.0.1", "-p", `${port}`, "-U", "tvix", "-d", "postgres", "-AtXc", sql],
      environment,
    );
    return stdout.trim();
  };
  const start = async () => {
    const options = ["-D", data, "-p", `${port}`, "-c", "listen_addresses=127.0.0.1", "-k", folder];
    const given = settings.flatMap((setting) => ["-c", setting]);
    const started = spawn(join(programs, "postgres"), [...options, ...given], {
      ...environment,
      stdio: "ignore",
    });
    server = started;
    while ((await query("SELECT 1").catch(() => undefined)) !== "1") {
      if (started.exitCode !== null) throw new Error(`postgres ended with ${started.exitCode}`);
    }
  };
  const stop = async (signal: NodeJS.Signals) => {
    const running = server;
    server = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, "exit");
    running.kill(signal);
    await exited;
  };
  await start();
  let schemas = 0;
  return {
    port,
    freshAddress: () => `postgres://tvix@127.0.0.1:${port}/postgres?schema=store_${++schemas}`,
    kill: () => stop("SIGQUIT"),
    start,
    query,
    async [Symbol.asyncDispose]() {
      await stop("SIGINT");
      await rm(folder, { recursive: true });
    },
  };
}

/** PostgreSQL does not run as root. */
async function ownerOf(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (flag: string) => Number((await run("id", [flag, "postgres"])).stdout);
  return { uid: await id("-u"), gid: await id("-g") };
}

/** A port of loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  server.close();
  await once(server, "close");
  return address.port;
}
