import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { mapConcurrently } from "@tvix/castore";
import { dumpPath } from "@tvix/nar/fs";
import { StorePath } from "@tvix/nix-compat";
import { run } from "../processes.ts";

const execute = promisify(execFile);

/** Packages of the npm registry, each `name@version`: what is published under a version never changes. */
interface Packages {
  /** One path of over 5,000 small files. */
  readonly manyFiles: readonly string[];
  readonly large: readonly string[];
  /** A toolchain, and the release that followed it. */
  readonly releases: readonly [readonly string[], readonly string[]];
  readonly small: readonly string[];
}

/** A store path of the closure. */
export interface ClosurePath {
  readonly path: StorePath;
  readonly narSize: number;
}

/** A local Nix store below a folder of its own, and a closure in it. */
export interface NixClosure {
  /** As Nix takes it for a store: `local?root=…`. */
  readonly store: string;
  /** The folder in which the store paths lie. */
  readonly folder: string;
  /** All paths; the last one refers to all others. */
  readonly paths: readonly ClosurePath[];
  readonly files: number;
  readonly narBytes: number;
}

/** Downloads at a time. */
const DOWNLOADS = 8;

const packages: Packages = JSON.parse(await readFile(join(import.meta.dirname, "packages.json"), "utf8"));

/** Which packages make up what is measured. */
export const CLOSURES: Readonly<Record<"all" | "short" | "earlier" | "later", readonly string[]>> = {
  /** Small paths, large binaries, one path of many files, a toolchain. */
  all: [...packages.manyFiles, ...packages.large, ...packages.releases[1], ...packages.small],
  /** A part of it, for a short run. */
  short: [...packages.manyFiles, ...packages.releases[1].slice(1), ...packages.small.slice(0, 40)],
  earlier: packages.releases[0],
  later: packages.releases[1],
};

/**
 * Fetches packages, and makes a local Nix store of them, without Nix building anything.
 *
 * @param base a folder of its own; archives stay in `archives` beside it, for the next time
 */
export async function makeNixClosure(
  base: string,
  specs: readonly string[],
  archives: string,
): Promise<NixClosure> {
  const folder = join(base, "nix/store");
  await Promise.all([folder, archives].map((path) => mkdir(path, { recursive: true })));
  const paths: ClosurePath[] = [];
  let registration = "";
  const add = async (path: StorePath, references: readonly StorePath[]) => {
    const hash = createHash("sha256");
    let narSize = 0;
    for await (const piece of dumpPath(join(folder, `${path}`))) {
      hash.update(piece);
      narSize += piece.length;
    }
    const names = references.map((reference) => reference.toAbsolute());
    registration += `${[path.toAbsolute(), hash.digest("hex"), narSize, "", names.length, ...names].join("\n")}\n`;
    paths.push({ path, narSize });
  };
  const extracted = mapConcurrently(specs, DOWNLOADS, async (spec) => await extract(spec, folder, archives));
  for await (const path of extracted) await add(path, []);
  const root = storePathFor("closure", specs.join(" "));
  const all = paths.map(({ path }) => path);
  await writeFile(join(folder, `${root}`), all.map((path) => `${path.toAbsolute()}\n`).join(""));
  await add(root, all);

  const store = `local?root=${base}`;
  const child = execute("nix-store", ["--load-db"], { env: { ...process.env, NIX_REMOTE: store } });
  child.child.stdin?.end(registration);
  await child;
  const { stdout } = await execute("sh", ["-c", `find '${folder}' -type f | wc -l`]);
  return {
    store,
    folder,
    paths,
    files: Number(stdout),
    narBytes: paths.reduce((sum, { narSize }) => sum + narSize, 0),
  };
}

/** A package, unpacked as the store path that stands for it. */
async function extract(spec: string, folder: string, archives: string): Promise<StorePath> {
  const archive = join(archives, `${spec.replace("/", "+")}.tgz`);
  const exists = await readFile(archive).then(
    () => true,
    () => false,
  );
  if (!exists) await writeFile(archive, await download(spec));
  const path = storePathFor(spec.replace(/^@/, "").replace(/[/@]/g, "-"), spec);
  const target = join(folder, `${path}`);
  await mkdir(target);
  await run("tar", ["xzf", archive, "-C", target, "--strip-components=1", "--no-same-owner"]);
  await chmod(target, 0o755);
  return path;
}

async function download(spec: string): Promise<Uint8Array> {
  const at = spec.lastIndexOf("@");
  const name = spec.slice(0, at);
  const file = `${name.slice(name.indexOf("/") + 1)}-${spec.slice(at + 1)}.tgz`;
  const response = await fetch(`https://registry.npmjs.org/${name}/-/${file}`);
  if (!response.ok) throw new Error(`${spec}: the registry answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** As for an output of a derivation: any digest will do. */
function storePathFor(name: string, seed: string): StorePath {
  return StorePath.from(createHash("sha256").update(seed).digest().subarray(0, 20), name);
}
