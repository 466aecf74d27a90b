// `pnpm bench [blobs] [trees] [nars] [cache] [attack]`: figures as Markdown tables, each beside its baseline.
import { benchmarkAttacks } from "./attack/benchmark.ts";
import { benchmarkBinaryCache } from "./binary-cache.ts";
import { benchmarkBlobs } from "./blobs.ts";
import { benchmarkNars } from "./nars.ts";
import { benchmarkTrees } from "./trees.ts";

const benchmarks: Record<string, () => Promise<void>> = {
  blobs: benchmarkBlobs,
  trees: benchmarkTrees,
  nars: benchmarkNars,
  cache: benchmarkBinaryCache,
  attack: benchmarkAttacks,
};
/** Takes long and measures no speed: only where it is named. */
const ONLY_BY_NAME = "attack";
const chosen = process.argv.slice(2);
const usual = Object.keys(benchmarks).filter((name) => name !== ONLY_BY_NAME);

for (const name of chosen.length > 0 ? chosen : usual) {
  const benchmark = benchmarks[name];
  if (benchmark === undefined)
    throw new Error(`no benchmark ${name}: there are ${Object.keys(benchmarks).join(", ")}`);
  await benchmark();
}
