// NARs and narinfos of the binary cache, beside the same bytes sent by bare node:http, a bare
// route of fastify, and static nginx. The load comes from wrk.
import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { realTree } from "../test/long/large-tree.ts";
import { type Figures, report } from "./measure.ts";
import { startNginx } from "./nginx.ts";
import { startBareHttp, startDaemon, TVIX_STORE } from "./processes.ts";
import { ROUNDS } from "./sizes.ts";

const execute = promisify(execFile);

/** How long each figure is measured. */
const SECONDS = 4;

const NODE_HTTP = "bare node:http";
const FASTIFY = "bare fastify";
const OURS = "tvix-store";
const NGINX = "nginx, static";

/** What the path under test holds: the system's own files, small and large. */
const TREE = { files: 2000, bytes: 200 * 2 ** 20 };

export async function benchmarkBinaryCache(): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  const tree = join(base, "tree");
  const size = await realTree(tree, TREE);
  const data = join(base, "data");
  const { stdout } = await execute(process.execPath, [...TVIX_STORE, "import", tree, "--data", data]);
  const digest = stdout.trim().slice("/nix/store/".length).slice(0, 32);

  const daemon = await startDaemon(data);
  const ours = `http://127.0.0.1:${daemon.port}`;
  const text = await (await fetch(`${ours}/${digest}.narinfo`)).text();
  const zstdUrl = /^URL: (.*)$/m.exec(text)?.[1] as string;
  const plainUrl = zstdUrl.replace(/\.zst$/, "");
  const files = join(base, "files");
  await mkdir(join(files, "nar"), { recursive: true });
  for (const url of [plainUrl, zstdUrl]) await download(`${ours}/${url}`, join(files, url));
  await writeFile(join(files, `${digest}.narinfo`), text);

  const bare = await startBareHttp(text, join(files, "nar"));
  const nginx = await startNginx(base, files);
  const title = `${size.files} files, ${(size.bytes / 1e6).toFixed(0)} MB`;
  const addresses = {
    [NODE_HTTP]: `http://127.0.0.1:${bare.files}`,
    [OURS]: ours,
    ...(nginx === undefined ? {} : { [NGINX]: `http://127.0.0.1:${nginx.port}` }),
  };
  for (const [form, url] of [
    ["uncompressed", plainUrl],
    ["as zstd", zstdUrl],
  ] as const) {
    for (const connections of [1, 4, 16]) {
      const figures = await compare(addresses, url, connections, ({ megabytes }) => megabytes);
      report(`NAR of ${title}, ${form}, ${connections} connections`, figures, NODE_HTTP);
    }
  }
  const texts = { ...addresses, [FASTIFY]: `http://127.0.0.1:${bare.text}` };
  const { [NODE_HTTP]: _, ...narinfos } = texts;
  for (const connections of [1, 64]) {
    const figures = await compare(narinfos, `${digest}.narinfo`, connections, ({ requests }) => requests);
    report(`narinfo, ${connections} connections, requests a second`, figures, FASTIFY, "requests/s");
  }
  await Promise.all([daemon.stop(), bare.stop(), nginx?.stop()]);
  await rm(base, { recursive: true });
}

interface Load {
  readonly megabytes: number;
  readonly requests: number;
}

/** Each contender under the same load, one after the other in every round. */
async function compare(
  addresses: Readonly<Record<string, string>>,
  path: string,
  connections: number,
  figure: (load: Load) => number,
): Promise<Figures> {
  const figures: Figures = new Map();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, address] of Object.entries(addresses)) {
      const load = await wrk(`${address}/${path}`, connections);
      figures.set(name, [...(figures.get(name) ?? []), figure(load)]);
    }
  }
  return figures;
}

/** Bytes and requests a second, counted by wrk in one thread. */
async function wrk(url: string, connections: number): Promise<Load> {
  const args = ["-t1", `-c${connections}`, `-d${SECONDS}s`, "--timeout", "60s", "-s"];
  const script = join(import.meta.dirname, "wrk-report.lua");
  const { stdout } = await execute("wrk", [...args, script, url]);
  const [, bytes, requests, errors, micros] =
    /^report (\d+) (\d+) (\d+) (\d+)$/m.exec(stdout)?.map(Number) ?? [];
  if (bytes === undefined || requests === undefined || micros === undefined || errors !== 0) {
    throw new Error(`wrk has failed: ${stdout}`);
  }
  return { megabytes: bytes / micros, requests: (requests / micros) * 1e6 };
}

async function download(url: string, file: string): Promise<void> {
  const response = await fetch(url, { headers: { "accept-encoding": "identity" } });
  if (!response.ok || response.body === null) throw new Error(`${url}: ${response.status}`);
  await pipeline(Readable.fromWeb(response.body as never), createWriteStream(file));
}
