// Ingests a real tree, directly and through a daemon, beside `tar c | zstd -3 | wc -c`.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { realTree } from "../test/long/large-tree.ts";
import { type Figures, measure, report } from "./measure.ts";
import { run, startDaemon, TVIX_STORE } from "./processes.ts";
import { ROUNDS } from "./sizes.ts";

const BASELINE = "tar c \\| zstd -3 \\| wc -c";

export async function benchmarkTrees(): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  const tree = join(base, "tree");
  const { files, bytes } = await realTree(tree, { files: 20_000, bytes: 1 << 30 });
  const figures: Figures = new Map();
  const pack = `tar c -C '${dirname(tree)}' '${basename(tree)}' | zstd -3 | wc -c`;
  await run("sh", ["-c", pack]); // Every file is in the page cache from here on.
  for (let round = 0; round < ROUNDS; round++) {
    const data = join(base, `data-${round}`);
    await measure(figures, BASELINE, bytes, () => run("sh", ["-c", pack]));
    await measure(figures, "ingest --data", bytes, () => ingest(tree, "--data", data));
    await rm(data, { recursive: true });
    const daemon = await startDaemon(data);
    const address = `grpc+http://127.0.0.1:${daemon.port}`;
    const options = ["--blob-service-addr", address, "--directory-service-addr", address];
    await measure(figures, "ingest through a daemon", bytes, () => ingest(tree, ...options));
    await measure(figures, "the same again", bytes, () => ingest(tree, ...options));
    await daemon.stop();
    await rm(data, { recursive: true });
  }
  report(`Ingest of ${files} files, ${(bytes / 1e6).toFixed(0)} MB`, figures, BASELINE);
  await rm(base, { recursive: true });
}

async function ingest(tree: string, ...options: string[]): Promise<void> {
  await run(process.execPath, [...TVIX_STORE, "castore", "ingest", tree, ...options]);
}
