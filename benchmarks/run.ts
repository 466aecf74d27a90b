// `pnpm bench [blobs] [trees] [nars] [cache]`: figures as Markdown tables, each beside its baseline.
import { benchmarkBinaryCache } from "./binary-cache.ts";
import { benchmarkBlobs } from "./blobs.ts";
import { benchmarkNars } from "./nars.ts";
import { benchmarkTrees } from "./trees.ts";

const benchmarks: Record<string, () => Promise<void>> = {
  blobs: benchmarkBlobs,
  trees: benchmarkTrees,
  nars: benchmarkNars,
  cache: benchmarkBinaryCache,
};
const chosen = process.argv.slice(2);

for (const name of chosen.length > 0 ? chosen : Object.keys(benchmarks)) {
  const benchmark = benchmarks[name];
  if (benchmark === undefined)
    throw new Error(`no benchmark ${name}: there are ${Object.keys(benchmarks).join(", ")}`);
  await benchmark();
}
