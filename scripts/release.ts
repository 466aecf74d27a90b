// Makes everything ready that a release consists of, and stops before the registry: one version for all packages, a
// section of the changelog, packages that are checked and packed. Says what is left to be done by hand.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { globSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename } from "node:path";

const TARBALLS = "tarballs";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
}

const [, , version = ""] = process.argv;
if (!/^\d+\.\d+\.\d+$/.test(version)) fail("say which version: pnpm release 0.1.0");

const manifests = globSync("packages/*/package.json").map(
  (file) => JSON.parse(readFileSync(file, "utf8")) as Manifest,
);
const others = manifests.filter((manifest) => manifest.version !== version);
if (others.length > 0) fail(`not of version ${version}: ${others.map(({ name }) => name).join(", ")}`);
if (!readFileSync("CHANGELOG.md", "utf8").includes(`\n## ${version} `)) {
  fail(`CHANGELOG.md has no section "## ${version} (date)"`);
}
if (output("git", ["status", "--porcelain"]) !== "") fail("there are changes that are not committed");

rmSync(TARBALLS, { recursive: true, force: true });
mkdirSync(TARBALLS);
run("pnpm", ["check"]);
run("pnpm", ["pack:all"]);

const tarballs = globSync(`${TARBALLS}/*.tgz`).sort();
if (tarballs.length !== manifests.length)
  fail(`${tarballs.length} tarballs for ${manifests.length} packages`);
for (const file of tarballs) {
  const digest = createHash("sha256").update(readFileSync(file)).digest("hex");
  console.log(`${digest}  ${basename(file)}`);
}
console.log(`
Everything is ready, and nothing has been published. What is left, in a job that may prove where it comes from:

  git tag v${version}
  for file in ${TARBALLS}/*.tgz; do npm publish --provenance --access public "$file"; done
`);

function run(command: string, args: readonly string[]): void {
  if (spawnSync(command, args, { stdio: "inherit" }).status !== 0)
    fail(`${command} ${args.join(" ")} has failed`);
}

function output(command: string, args: readonly string[]): string {
  return spawnSync(command, args, { encoding: "utf8" }).stdout.trim();
}

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}
