import { readdir, readFile, readlink } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { StorePath } from "@tvix/nix-compat";
import { expect, test } from "vitest";
import { type Daemon, endDaemon, startDaemon, tvixStore } from "../../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../../temporary.ts";
import { expectStory } from "./look.ts";
import { Random } from "./random.ts";
import { Story } from "./story.ts";
import { Users } from "./users.ts";

/** How long a daemon is used; an hour by hand. */
const SECONDS = Number(process.env["SOAK_SECONDS"] ?? 60);
const SEED = Number(process.env["SOAK_SEED"] ?? 1);

/** In each of them it is used by clients that come, and leave. */
const PERIODS = 6;

/** Connections that this process keeps for its next requests, at the most. */
const KEPT_ALIVE = 12;

/** What a daemon may have more at the end than after the first period: caches fill, and LevelDB opens its tables. */
const MOST_MORE_FILES = 40;
const MOST_MORE_BYTES = 96 << 20;
const MOST_MORE_HEAP_BYTES = 16 << 20;

test("a daemon that is used for long holds no more than at first", { timeout: 7_200_000 }, async () => {
  const base = await temporaryDirectory();
  const [data, tokens] = [join(base, "data"), join(base, "tokens.json")];
  const token = (
    await tvixStore("token", "create", "--scope", "admin", "--token-file", tokens)
  ).stdout.trim();
  const daemon = await startInspected(data, "--token-file", tokens, "--no-sync");
  const random = new Random(SEED);
  const story = new Story();
  const held: Awaited<ReturnType<typeof heldBy>>[] = [];
  let [number, reads] = [0, 0];
  for (let period = 0; period < PERIODS; period++) {
    const users = new Users(daemon, { token, story, random, name: `${SEED}`, number });
    const work = users.work();
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
  const [first, last] = [held[0], held.at(-1)] as const;
  expect(last?.sockets).toBeLessThan((first?.sockets ?? 0) + KEPT_ALIVE);
  expect(last?.files).toBeLessThan((first?.files ?? 0) + MOST_MORE_FILES);
  expect(last?.anonymousBytes).toBeLessThan((first?.anonymousBytes ?? 0) + MOST_MORE_BYTES);
  expect(last?.heapBytes).toBeLessThan((first?.heapBytes ?? 0) + MOST_MORE_HEAP_BYTES);
  expect(await endDaemon(daemon, "SIGTERM")).toBe(0);
  await expectStory(data, story, `seed ${SEED}`);
});

/** Starts a daemon that a debugger may be attached to. */
async function startInspected(...args: [data: string, ...more: string[]]): Promise<Daemon> {
  process.env["NODE_OPTIONS"] = "--inspect=127.0.0.1:0";
  try {
    return await startDaemon(...args);
  } finally {
    delete process.env["NODE_OPTIONS"];
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
      const socket = connect(Number(port), hostname);
      socket.write(
        random.pick(["GET / HTTP/1.1\r\n", "nonsense\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]),
      );
      await new Promise((resolve) => socket.once("connect", resolve));
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
