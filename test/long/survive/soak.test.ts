import { readdir, readFile, readlink } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { StorePath } from "@tvix/nix-compat";
import { expect, test } from "vitest";
import { BASE_MIB } from "../../../benchmarks/attack/attacked.ts";
import { type Daemon, endDaemon, startDaemon, tvixStore } from "../../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../../temporary.ts";
import { expectStory } from "./look.ts";
import { Random } from "./random.ts";
import { Story } from "./story.ts";
import { Users } from "./users.ts";

/** How long a daemon is used; an hour by hand. */
const SECONDS = Number(process.env["SOAK_SECONDS"] ?? 60);
const SEED = Number(process.env["SOAK_SEED"] ?? 1);

/** In each of them it is used by clients that come, and leave; the first ones, in which it gets warm, do not count. */
const PERIODS = 6;
const WARM_PERIODS = 2;

/** Connections that this process keeps for its next requests, at the most. */
const KEPT_ALIVE = 12;

/** What a daemon may work with, in MiB. */
const MEMORY_MIB = 128;

/**
 * What a daemon may have more at the end than when it was warm: LevelDB opens its tables; path infos are remembered up to 16 MiB, and of
 * 100,000 paths when they were used.
 */
const MOST_MORE_FILES = 40;
const MOST_MORE_HEAP_BYTES = 48 << 20;

test("a daemon that is used for long holds what it did when it was warm, and what its caches may", {
  timeout: 1000 * SECONDS + 600_000,
}, async () => {
  const base = await temporaryDirectory();
  const [data, tokens] = [join(base, "data"), join(base, "tokens.json")];
  const token = (
    await tvixStore("token", "create", "--scope", "admin", "--token-file", tokens)
  ).stdout.trim();
  const daemon = await startInspected(data, "--token-file", tokens, "--no-sync", "--memory", `${MEMORY_MIB}`);
  const random = new Random(SEED);
  const story = new Story();
  const held: Awaited<ReturnType<typeof heldBy>>[] = [];
  let [number, reads] = [0, 0];
  for (let period = 0; period < PERIODS; period++) {
    const users = new Users(daemon, { token, story, random, name: `${SEED}`, number });
    const work = users.work();
    // Seen at the end of the period.
    work.catch(() => {});
    const end = performance.now() + (1000 * SECONDS) / PERIODS;
    while (performance.now() < end) {
      await readSomething(daemon, story, random);
      reads++;
    }
    users.isOver = true;
    await work;
    ({ number } = users);
    held.push(await heldBy(daemon, token));
  }
  console.log(`seed ${SEED}: ${number} things were stored, ${reads} read; ${JSON.stringify(held)}`);
  expect(number).toBeGreaterThan(PERIODS);
  expect(reads).toBeGreaterThan(10 * PERIODS);
  const [warm, last] = [held[WARM_PERIODS - 1], held.at(-1)] as const;
  expect(last?.sockets).toBeLessThan((warm?.sockets ?? 0) + KEPT_ALIVE);
  expect(last?.files).toBeLessThan((warm?.files ?? 0) + MOST_MORE_FILES);
  expect(last?.heapBytes).toBeLessThan((warm?.heapBytes ?? 0) + MOST_MORE_HEAP_BYTES);
  expect(last?.anonymousBytes).toBeLessThan((MEMORY_MIB + BASE_MIB) * 2 ** 20);
  expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
  await expectStory(data, story, `seed ${SEED}`);
});

/** Starts a daemon that a debugger may be attached to. */
async function startInspected(...args: [data: string, ...more: string[]]): Promise<Daemon> {
  const before = process.env["NODE_OPTIONS"];
  process.env["NODE_OPTIONS"] = `${before ?? ""} --inspect=127.0.0.1:0`;
  try {
    return await startDaemon(...args);
  } finally {
    if (before === undefined) delete process.env["NODE_OPTIONS"];
    else process.env["NODE_OPTIONS"] = before;
  }
}

/** Has the engine give back all that nobody uses any more. */
async function collectGarbage(daemon: Daemon): Promise<void> {
  const socket = new WebSocket(/ws:\/\/\S+/.exec(daemon.log())?.[0] ?? "");
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", () => {
      socket.send(JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" }));
    });
    socket.addEventListener("message", resolve);
    socket.addEventListener("error", reject);
    socket.addEventListener("close", reject);
  });
  socket.close();
}

/** What clients do that come for one thing: some leave in the middle, and some say what makes no sense. */
async function readSomething({ url }: Daemon, story: Story, random: Random): Promise<void> {
  const paths = [...story.paths.keys()];
  const path = paths[random.below(Math.max(1, paths.length))];
  const digest = path === undefined ? "0".repeat(32) : StorePath.fromAbsolute(path).digestText();
  const narInfo = await fetch(`${url}/${digest}.narinfo`, { headers: { connection: "close" } });
  const text = await narInfo.text();
  const nar = narInfo.ok ? /^URL: (.+)$/m.exec(text)?.[1] : "nar/none.nar";
  switch (random.below(4)) {
    case 0:
      await (await fetch(`${url}/${nar}`, { headers: { connection: "close" } })).arrayBuffer();
      return;
    case 1: {
      const leaving = new AbortController();
      const response = await fetch(`${url}/${nar}`, {
        headers: { connection: "close" },
        signal: leaving.signal,
      });
      leaving.abort();
      await response.arrayBuffer().catch(() => {});
      return;
    }
    case 2:
      await (
        await fetch(`${url}/no-such/%zz`, { method: "PUT", body: "x", headers: { connection: "close" } })
      ).text();
      return;
    default: {
      const { hostname, port } = new URL(url);
      const socket = connect(Number(port), hostname).on("error", () => {});
      socket.write(
        random.pick(["GET / HTTP/1.1\r\n", "nonsense\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]),
      );
      await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
      socket.destroy();
    }
  }
}

/** What a daemon has open and in memory when nobody asks for anything. */
async function heldBy(daemon: Daemon, token: string) {
  const {
    url,
    process: { pid },
  } = daemon;
  const metrics = async () => {
    const headers = { connection: "close", authorization: `Bearer ${token}` };
    const text = await (await fetch(`${url}/metrics`, { headers })).text();
    const figure = (name: string) => Number(new RegExp(`^${name} (.+)$`, "m").exec(text)?.[1]);
    return {
      heap: figure("nodejs_heap_size_used_bytes"),
      held: figure("tvix_memory_held_bytes") + figure("tvix_memory_waiting"),
      connections: figure("tvix_connections"),
    };
  };
  await expect.poll(async () => (await metrics()).held, { timeout: 30_000 }).toBe(0);
  await expect.poll(async () => (await metrics()).connections, { timeout: 30_000 }).toBeLessThan(KEPT_ALIVE);
  await collectGarbage(daemon);
  const { heap: heapBytes } = await metrics();
  const folder = `/proc/${pid}/fd`;
  const open = await Promise.all(
    (await readdir(folder)).map((name) => readlink(join(folder, name)).catch(() => "gone")),
  );
  const sockets = open.filter((name) => name.startsWith("socket:")).length;
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const anonymousBytes = 1024 * Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]);
  return { sockets, files: open.length - sockets, heapBytes, anonymousBytes };
}
