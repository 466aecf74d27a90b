// Runs every check that is no test, and says which failed.
import { spawnSync } from "node:child_process";
import { existsSync, globSync } from "node:fs";
import { dirname, join } from "node:path";

const CHECKS = [
  "lint",
  "check:generated",
  "check:types",
  "check:layers",
  "check:packages",
  "check:docs",
  "check:api",
];

// Tests are built without types.
const isBuilt = globSync("packages/*/tsup.config.ts").every((config) =>
  existsSync(join(dirname(config), "dist/index.d.ts")),
);
if (!isBuilt && spawnSync("pnpm", ["build"], { stdio: "inherit" }).status !== 0) process.exit(1);

const failed = CHECKS.filter((check) => {
  console.log(`\n== ${check}`);
  return spawnSync("pnpm", ["run", "--silent", check], { stdio: "inherit" }).status !== 0;
});
if (failed.length > 0) {
  console.error(`\nfailed: ${failed.join(", ")}`);
  process.exitCode = 1;
}
