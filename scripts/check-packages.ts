// Checks each package as it would be published: every built entry is exported and every export
// is built, `publint` and `attw` have nothing to say, and README and licence are in it.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

const output = mkdtempSync(join(tmpdir(), "packages-"));
let failed = false;

for (const manifestPath of globSync("packages/*/package.json").sort()) {
  const folder = dirname(manifestPath);
  const manifest = JSON.parse(readFileSync(manifestPath, "utf8"));
  console.log(`-- ${manifest.name}`);
  checkFiles(folder, manifest);
  run("publint", [folder, "--strict", "--pack", "pnpm"]);
  const destination = join(output, basename(folder));
  execFileSync("pnpm", ["pack", "--pack-destination", destination], { cwd: folder, stdio: "ignore" });
  const tarball = join(destination, readdirSync(destination)[0] as string);
  // ES modules only, which every Node.js we support can also `require`.
  run("attw", [tarball, "--profile", "esm-only", "--no-emoji", "--format", "ascii", "--quiet"]);
}

rmSync(output, { recursive: true });
process.exitCode = failed ? 1 : 0;

function checkFiles(
  folder: string,
  manifest: { name: string; exports: Record<string, unknown>; imports?: unknown },
): void {
  const targets = [...collectPaths(manifest.exports), ...collectPaths(manifest.imports ?? {})];
  for (const target of targets) {
    if (!existsSync(join(folder, target))) fail(`${manifest.name}: ${target} is exported and not built`);
  }
  for (const file of ["README.md", "LICENSE"]) {
    if (!existsSync(join(folder, file))) fail(`${manifest.name} has no ${file}`);
  }
}

/** Every file that an export map names. */
function collectPaths(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return Object.values(value as Record<string, unknown>).flatMap(collectPaths);
}

function run(command: string, parameters: string[]): void {
  if (spawnSync(command, parameters, { stdio: "inherit" }).status !== 0) fail(`${command} has failed`);
}

function fail(message: string): void {
  console.error(message);
  failed = true;
}
