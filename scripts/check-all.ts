// Runs every check that is no test, and says which failed.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

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
if (!existsSync("packages/castore/dist/index.d.ts")) spawnSync("pnpm", ["build"], { stdio: "inherit" });

const failed = CHECKS.filter((check) => {
  console.log(`\n== ${check}`);
  return spawnSync("pnpm", ["run", "--silent", check], { stdio: "inherit" }).status !== 0;
});
if (failed.length > 0) {
  console.error(`\nfailed: ${failed.join(", ")}`);
  process.exitCode = 1;
}
