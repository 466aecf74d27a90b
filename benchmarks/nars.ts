// Ingests and renders the NAR of a real tree, beside `zstd -3` and `sha256sum` over the same NAR.
import { createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { dumpPath } from "@tvix/nar/fs";
import { realTree } from "../test/long/large-tree.ts";
import { type Figures, measure, report } from "./measure.ts";
import { run, TVIX_STORE } from "./processes.ts";
import { ROUNDS } from "./sizes.ts";

const ZSTD = "zstd -3, one thread";
const SHA256SUM = "sha256sum";

export async function benchmarkNars(): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), "bench-"));
  const tree = join(base, "tree");
  const { files } = await realTree(tree, { files: 20_000, bytes: 2 ** 31 });
  const nar = join(base, "tree.nar");
  await pipeline(dumpPath(tree), createWriteStream(nar));
  const { size } = await stat(nar);
  const ingesting: Figures = new Map();
  const rendering: Figures = new Map();
  const sh = (command: string) => run("sh", ["-c", command]);
  const tvixStore = [process.execPath, ...TVIX_STORE].join(" ");
  for (let round = 0; round < ROUNDS; round++) {
    const data = join(base, `data-${round}`);
    const digest = join(base, `digest-${round}`);
    await measure(ingesting, ZSTD, size, () => sh(`zstd -3 --single-thread -c '${nar}' | wc -c`));
    await measure(ingesting, "nar ingest --data", size, () =>
      sh(`${tvixStore} nar ingest '${nar}' --data '${data}' > '${digest}'`),
    );
    await measure(rendering, SHA256SUM, size, () => sh(`sha256sum '${nar}'`));
    await measure(rendering, "nar dump --data", size, () =>
      sh(`${tvixStore} nar dump "$(cat '${digest}')" --data '${data}' > /dev/null`),
    );
    await rm(data, { recursive: true });
  }
  report(`Ingest of a NAR of ${files} files, ${(size / 1e6).toFixed(0)} MB`, ingesting, ZSTD);
  report("Rendering it", rendering, SHA256SUM);
  await rm(base, { recursive: true });
}
