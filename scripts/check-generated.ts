// Fails when generated files are not what the generators write.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";

/** Digest of each generated file. */
function snapshot(): Map<string, string> {
  const files = globSync(["packages/*/src/gen/**/*.ts", "packages/*/src/**/*.gen.ts"]);
  return new Map(files.map((file) => [file, createHash("sha256").update(readFileSync(file)).digest("hex")]));
}

const before = snapshot();
execFileSync("node", ["scripts/generate.ts"], { stdio: "inherit" });
const after = snapshot();

const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
  (file) => before.get(file) !== after.get(file),
);
if (before.size === 0) throw new Error("no generated files were found");
if (changed.length > 0) {
  console.error(`out of date, run \`pnpm generate\` and commit:\n  ${changed.join("\n  ")}`);
  process.exitCode = 1;
} else {
  console.log(`${after.size} generated files are up to date`);
}
