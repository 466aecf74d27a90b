// What people really serve: a closure of real files, each path fetched once in turn, beside bare node:http, nginx, and
// whatever peers are told of. Real Nix copies it in and out.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { removeHome } from "../../test/nix/nix-home.ts";
import { median } from "../measure.ts";
import { startNginx } from "../nginx.ts";
import { type ProcessWithId, startBareHttp, startDaemon } from "../processes.ts";
import { ROUNDS } from "../sizes.ts";
import { CLOSURES, makeNixClosure, type NixClosure } from "./nix-closure.ts";
import { nixCopy } from "./nix-copy.ts";
import { anonymousMemory, processorSeconds } from "./process-usage.ts";

const execute = promisify(execFile);

/** Packages stay there from one run to the next. */
const ARCHIVES = process.env["CLOSURE_ARCHIVES"] ?? join(tmpdir(), "tvix-bench-archives");

/** Peers that serve the same closure already: `name=port`, with commas between them. */
const PEERS = process.env["CLOSURE_PEERS"] ?? "";

/** Of a server, and the paths below it that are fetched. */
interface Contender {
  readonly name: string;
  readonly port: number;
  readonly pid: number | undefined;
  /** A file with one path in each line. */
  readonly list: string;
}

interface Fetched {
  readonly seconds: number;
  readonly bodyBytes: number;
  readonly processor: number;
}

export async function benchmarkClosure(which: "all" | "short"): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  const roundCount = which === "short" ? 1 : ROUNDS;
  const closure = await makeNixClosure(join(base, "nix"), CLOSURES[which], ARCHIVES);
  const { paths, files, narBytes } = closure;
  console.log(
    `\n## A closure of ${paths.length} paths, ${files} files, ${(narBytes / 1e6).toFixed(0)} MB of NARs`,
  );
  console.log(`\n${sizesOf(closure)}`);
  const root = paths.at(-1)?.path.toAbsolute() as string;
  const started = performance.now();
  const daemon = await startDaemon(join(base, "data"));
  const readyMs = performance.now() - started;
  const idle = await anonymousMemory(daemon.pid);
  const ours = `http://127.0.0.1:${daemon.port}`;
  await mkdir(join(base, "home"));
  const copy = (from: string, to: string) => nixCopy(join(base, "home"), from, to, root);

  const before = await processorSeconds(daemon.pid);
  const toFile = await copy(closure.store, `file://${base}/zstd?compression=zstd`);
  const toOurs = await copy(closure.store, `${ours}?compression=zstd`);
  const toOursProcessor = (await processorSeconds(daemon.pid)) - before;
  await copy(closure.store, `file://${base}/none?compression=none`);

  const nginx = {
    zstd: await startNginx(base, join(base, "zstd")),
    none: await startNginx(base, join(base, "none")),
  };
  const bare = {
    zstd: await startBareHttp("", join(base, "zstd/nar")),
    none: await startBareHttp("", join(base, "none/nar")),
  };
  const peak = { memory: 0 };
  const watch = setInterval(async () => {
    peak.memory = Math.max(peak.memory, await anonymousMemory(daemon.pid).catch(() => 0));
  }, 50);
  for (const form of ["none", "zstd"] as const) {
    const listOfOurs = await writeList(base, `ours-${form}`, await urlsOfServer(closure, ours, form));
    const listOfFiles = await writeList(base, `files-${form}`, await urlsOfFiles(closure, join(base, form)));
    const contenders: Contender[] = [
      { name: "bare node:http", port: bare[form].files, pid: bare[form].pid, list: listOfFiles },
      ...contender("nginx, files", nginx[form], listOfFiles),
      ...peersOf(listOfOurs),
      { name: "tvix-store", port: daemon.port, pid: daemon.pid, list: listOfOurs },
    ];
    await compareNars(
      form === "none" ? "NARs as they are" : "NARs as zstd",
      contenders,
      narBytes,
      roundCount,
    );
  }
  await compareNarInfos(base, closure, [
    ...contender("nginx, files", nginx.zstd, ""),
    { name: "tvix-store", port: daemon.port, pid: daemon.pid, list: "" },
  ]);
  clearInterval(watch);

  const fromNginx =
    nginx.zstd && (await copy(`http://127.0.0.1:${nginx.zstd.port}`, `local?root=${base}/from-nginx`));
  const fromOurs = await copy(ours, `local?root=${base}/from-ours`);
  const stored = await bytesOf(join(base, "data"));
  const asFiles = await bytesOf(join(base, "zstd"));
  console.log(`\n### The rest\n\n| | peer | tvix-store | ratio |\n|---|---|---|---|`);
  row("`nix copy --to` as zstd, beside `file://`, s", toFile, toOurs);
  row("`nix copy --from`, beside nginx with zstd files, s", fromNginx, fromOurs);
  row("stored bytes, beside zstd NARs, MB", asFiles / 1e6, stored / 1e6);
  if (which === "all") await compareReleases(base);
  console.log(
    `| processor time of the server while it took the closure, s | | ${toOursProcessor.toFixed(1)} | |`,
  );
  console.log(`| from the start of the process to its address, ms | | ${readyMs.toFixed(0)} | |`);
  console.log(
    `| anonymous memory then, and at most while it was read, MiB | | ${idle.toFixed(0)}, ${peak.memory.toFixed(0)} | |`,
  );
  const servers = [daemon, bare.zstd, bare.none, nginx.zstd, nginx.none];
  await Promise.all(servers.map((server) => server?.stop()));
  await removeHome(base);
}

/** What one release of a toolchain takes, and what it takes together with the one that followed it. */
async function compareReleases(base: string): Promise<void> {
  const daemon = await startDaemon(join(base, "releases"));
  const files = join(base, "releases-zstd");
  for (const [name, title] of [
    ["earlier", "one release of a toolchain"],
    ["later", "it and the next one"],
  ] as const) {
    const { store, paths } = await makeNixClosure(join(base, `nix-${name}`), CLOSURES[name], ARCHIVES);
    const root = paths.at(-1)?.path.toAbsolute() as string;
    const home = join(base, "home");
    await nixCopy(home, store, `file://${files}?compression=zstd`, root);
    await nixCopy(home, store, `http://127.0.0.1:${daemon.port}?compression=zstd`, root);
    const [asFiles, stored] = [await bytesOf(files), await bytesOf(join(base, "releases"))];
    row(`stored bytes of ${title}, beside zstd NARs, MB`, asFiles / 1e6, stored / 1e6);
  }
  await daemon.stop();
}

function row(title: string, peer: number | undefined, ours: number): void {
  const ratio = peer === undefined ? "" : (ours / peer).toFixed(2);
  console.log(`| ${title} | ${peer?.toFixed(1) ?? ""} | ${ours.toFixed(1)} | ${ratio} |`);
}

function contender(name: string, server: ProcessWithId | undefined, list: string): Contender[] {
  return server === undefined ? [] : [{ name, port: server.port, pid: server.pid, list }];
}

/** Peers that were told of; they have to know the same paths under the same names. */
function peersOf(list: string): Contender[] {
  return PEERS.split(",").flatMap((peer) => {
    const [name, port] = peer.split("=");
    return name && port ? [{ name, port: Number(port), pid: undefined, list }] : [];
  });
}

/** Whole passes over all NARs, each contender in turn. */
async function compareNars(
  title: string,
  contenders: readonly Contender[],
  narBytes: number,
  roundCount: number,
): Promise<void> {
  console.log(`\n### ${title}, MB/s of bodies (of NAR); processor seconds of the server for each GB of NAR`);
  console.log(`\n| connections | ${contenders.map(({ name }) => name).join(" | ")} | of the one before |`);
  console.log(`|---|${"---|".repeat(contenders.length + 1)}`);
  for (const connections of [1, 4, 16]) {
    const figures = contenders.map((): Fetched[] => []);
    for (let round = 0; round < roundCount; round++) {
      for (const [index, one] of contenders.entries())
        figures[index]?.push(await fetchAll(one, connections, 2));
    }
    const rates = figures.map((rounds) =>
      median(rounds.map(({ bodyBytes, seconds }) => bodyBytes / seconds / 1e6)),
    );
    const cells = figures.map((rounds, index) => {
      const nar = median(rounds.map(({ seconds }) => (2 * narBytes) / seconds / 1e6));
      const processor = median(rounds.map((one) => one.processor / ((2 * narBytes) / 1e9)));
      return `${rates[index]?.toFixed(0)} (${nar.toFixed(0)}); ${processor.toFixed(2)}`;
    });
    const ratio = (rates.at(-1) as number) / (rates.at(-2) as number);
    console.log(`| ${connections} | ${cells.join(" | ")} | ${ratio.toFixed(2)} |`);
  }
}

async function compareNarInfos(
  base: string,
  closure: NixClosure,
  contenders: readonly Contender[],
): Promise<void> {
  const list = await writeList(
    base,
    "narinfos",
    closure.paths.map(({ path }) => `/${path.digestText()}.narinfo`),
  );
  console.log(
    `\n### narinfos a second\n\n| connections | ${contenders.map(({ name }) => name).join(" | ")} | of the one before |`,
  );
  console.log(`|---|${"---|".repeat(contenders.length + 1)}`);
  for (const connections of [1, 64]) {
    const rates: number[] = [];
    for (const one of contenders) {
      const rounds: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const passes = Math.ceil(20_000 / closure.paths.length);
        const { seconds } = await fetchAll({ ...one, list }, connections, passes);
        rounds.push((passes * closure.paths.length) / seconds);
      }
      rates.push(median(rounds));
    }
    const cells = rates.map((rate) => rate.toFixed(0));
    const ratio = (rates.at(-1) as number) / (rates.at(-2) ?? Number.NaN);
    console.log(`| ${connections} | ${cells.join(" | ")} | ${ratio.toFixed(2)} |`);
  }
}

async function fetchAll(
  { port, pid, list }: Contender,
  connections: number,
  passes: number,
): Promise<Fetched> {
  const before = pid === undefined ? 0 : await processorSeconds(pid);
  const script = join(import.meta.dirname, "fetch-each.ts");
  const { stdout } = await execute(process.execPath, [
    script,
    `${port}`,
    list,
    `${connections}`,
    `${passes}`,
  ]);
  const processor = pid === undefined ? Number.NaN : (await processorSeconds(pid)) - before;
  return { ...(JSON.parse(stdout) as Omit<Fetched, "processor">), processor };
}

async function writeList(base: string, name: string, urls: readonly string[]): Promise<string> {
  const file = join(base, `${name}.txt`);
  await writeFile(file, urls.map((url) => `${url}\n`).join(""));
  return file;
}

/** What the narinfos of a server name, or the same without compression. */
async function urlsOfServer({ paths }: NixClosure, server: string, form: "none" | "zstd"): Promise<string[]> {
  const urls: string[] = [];
  for (const { path } of paths) {
    const url = urlIn(await (await fetch(`${server}/${path.digestText()}.narinfo`)).text());
    urls.push(form === "none" ? url.replace(/\.zst$/, "") : url);
  }
  return urls;
}

async function urlsOfFiles({ paths }: NixClosure, folder: string): Promise<string[]> {
  return await Promise.all(
    paths.map(async ({ path }) =>
      urlIn(await readFile(join(folder, `${path.digestText()}.narinfo`), "utf8")),
    ),
  );
}

function urlIn(narinfo: string): string {
  return `/${/^URL: (.*)$/m.exec(narinfo)?.[1]}`;
}

/** How large the NARs are, so that it is told what was measured. */
function sizesOf({ paths }: NixClosure): string {
  const bounds = [1e5, 1e6, 1e7, Number.POSITIVE_INFINITY];
  const counts = bounds.map(() => 0);
  for (const { narSize } of paths) {
    const index = bounds.findIndex((bound) => narSize < bound);
    counts[index] = (counts[index] as number) + 1;
  }
  return `NARs below 100 KB, 1 MB and 10 MB, and longer: ${counts.join(", ")}.`;
}

/** Bytes of all files in a folder. */
async function bytesOf(folder: string): Promise<number> {
  const { stdout } = await execute("du", ["-sb", folder]);
  return Number(stdout.split("\t")[0]);
}
