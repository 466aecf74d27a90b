// Ingests a real tree, directly and through a daemon, beside `tar c | zstd -3 | wc -c`; again, beside `b3sum` over all
// files; and restores it, beside `tar x`.
import { execFile, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { realTree } from "../test/long/large-tree.ts";
import { type Figures, measure, report } from "./measure.ts";
import { run, startDaemon, TVIX_STORE } from "./processes.ts";
import { ROUNDS } from "./sizes.ts";

const BASELINE = "tar c \\| zstd -3 \\| wc -c";
const B3SUM = "b3sum of all files";
const TAR = "tar x";

export async function benchmarkTrees(): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  const tree = join(base, "tree");
  const { files, bytes } = await realTree(tree, { files: 20_000, bytes: 1 << 30 });
  const figures: Figures = new Map();
  const again: Figures = new Map();
  const restored: Figures = new Map();
  const archive = join(base, "tree.tar");
  await run("tar", ["cf", archive, "-C", dirname(tree), basename(tree)]);
  const hash = `find '${tree}' -type f -print0 | xargs -0 b3sum`;
  const hasB3sum = spawnSync("b3sum", ["--version"]).status === 0;
  const out = join(base, "out");
  const pack = `tar c -C '${dirname(tree)}' '${basename(tree)}' | zstd -3 | wc -c`;
  await run("sh", ["-c", pack]); // Every file is in the page cache from here on.
  for (let round = 0; round < ROUNDS; round++) {
    const data = join(base, `data-${round}`);
    await measure(figures, BASELINE, bytes, () => run("sh", ["-c", pack]));
    await measure(figures, "ingest --data", bytes, () => ingest(tree, "--data", data));
    if (hasB3sum) await measure(again, B3SUM, bytes, () => run("sh", ["-c", hash]));
    await measure(again, "ingest --data, nothing new", bytes, () => ingest(tree, "--data", data));
    const digest = await rootOf(tree, data);
    await mkdir(out);
    await measure(restored, TAR, bytes, () => run("tar", ["xf", archive, "-C", out]));
    await rm(out, { recursive: true });
    await measure(restored, "restore --data", bytes, () => restore(digest, out, "--data", data));
    await rm(out, { recursive: true });
    await rm(data, { recursive: true });
    const daemon = await startDaemon(data);
    const address = `grpc+http://127.0.0.1:${daemon.port}`;
    const options = ["--blob-service-addr", address, "--directory-service-addr", address];
    await measure(figures, "ingest through a daemon", bytes, () => ingest(tree, ...options));
    await measure(again, "ingest through a daemon, nothing new", bytes, () => ingest(tree, ...options));
    await measure(restored, "restore through a daemon", bytes, () => restore(digest, out, ...options));
    await rm(out, { recursive: true });
    await daemon.stop();
    await rm(data, { recursive: true });
  }
  report(`Ingest of ${files} files, ${(bytes / 1e6).toFixed(0)} MB`, figures, BASELINE);
  report("The same again", again, B3SUM);
  report("Restored", restored, TAR);
  await rm(base, { recursive: true });
}

async function restore(digest: string, to: string, ...options: string[]): Promise<void> {
  await run(process.execPath, [...TVIX_STORE, "castore", "restore", digest, to, ...options]);
}

/** What ingesting prints. */
async function rootOf(tree: string, data: string): Promise<string> {
  const args = [...TVIX_STORE, "castore", "ingest", tree, "--data", data];
  return (await promisify(execFile)(process.execPath, args)).stdout.trim();
}

async function ingest(tree: string, ...options: string[]): Promise<void> {
  await run(process.execPath, [...TVIX_STORE, "castore", "ingest", tree, ...options]);
}
