// `pnpm bench [blobs] [small-blobs] [trees] [nars] [cache] [start] [closure] [closure-short] [page] [collection] [cluster] [attack]`: figures as Markdown tables, each beside its baseline.
import { benchmarkAttacks } from "./attack/benchmark.ts";
import { benchmarkBinaryCache } from "./binary-cache.ts";
import { benchmarkBlobs } from "./blobs.ts";
import { benchmarkClosure } from "./closure/benchmark.ts";
import { benchmarkCluster } from "./cluster.ts";
import { benchmarkCollection } from "./collection/benchmark.ts";
import { benchmarkNars } from "./nars.ts";
import { benchmarkPage } from "./page.ts";
import { benchmarkSmallBlobs } from "./small-blobs.ts";
import { benchmarkStart } from "./start.ts";
import { benchmarkTrees } from "./trees.ts";

const benchmarks: Record<string, () => Promise<void>> = {
  blobs: benchmarkBlobs,
  "small-blobs": benchmarkSmallBlobs,
  trees: benchmarkTrees,
  nars: benchmarkNars,
  cache: benchmarkBinaryCache,
  start: benchmarkStart,
  closure: () => benchmarkClosure("all"),
  "closure-short": () => benchmarkClosure("short"),
  page: benchmarkPage,
  collection: benchmarkCollection,
  cluster: benchmarkCluster,
  attack: benchmarkAttacks,
};
/** They take long, or what not everybody has: only where they are named. */
const ONLY_BY_NAME = ["attack", "cluster", "collection", "closure", "closure-short"];
const chosen = process.argv.slice(2);
const usual = Object.keys(benchmarks).filter((name) => !ONLY_BY_NAME.includes(name));

for (const name of chosen.length > 0 ? chosen : usual) {
  const benchmark = benchmarks[name];
  if (benchmark === undefined)
    throw new Error(`no benchmark ${name}: there are ${Object.keys(benchmarks).join(", ")}`);
  await benchmark();
}
