import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { installedProject } from "../packed.ts";
import { temporaryDirectory } from "../temporary.ts";

const CASTORE = ["protocol", "byte-stream", "castore"];
const STORE = [...CASTORE, "castore-fs", "castore-grpc", "nar", "nix-compat", "narinfo", "store"];

/** What has no place in a page: databases, servers, compressors. */
const OF_NODE = /^(@napi-rs\/|classic-level|abstract-level|minizlib|node-gyp-build|fastify|undici)/;

/** Every package that npm has installed, and would install on another platform. */
function listed(project: string): string[] {
  const tree = JSON.parse(
    execFileSync("npm", ["ls", "--all", "--json"], { cwd: project, encoding: "utf8" }),
  ) as Listed;
  const names = new Set<string>();
  const visit = ({ dependencies = {} }: Listed) => {
    for (const [name, found] of Object.entries(dependencies)) {
      names.add(name);
      visit(found);
    }
  };
  visit(tree);
  return [...names].sort();
}

interface Listed {
  readonly dependencies?: Record<string, Listed>;
}

test("@tvix/castore brings into a page no database, no gRPC, no compressor and nothing native", async () => {
  const project = await temporaryDirectory();
  await installedProject(project, CASTORE);
  const names = listed(project);
  expect(names).toContain("@tvix/castore");
  expect(names.filter((name) => OF_NODE.test(name) || name.startsWith("@connectrpc/"))).toEqual([]);
  expect(globSync("node_modules/**/*.node", { cwd: project })).toEqual([]);

  await writeFile(
    join(project, "page.js"),
    'import { MemoryBlobService } from "@tvix/castore"; console.log(await new MemoryBlobService().put([Uint8Array.of(1)]));',
  );
  const { metafile, warnings } = await build({
    entryPoints: [join(project, "page.js")],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    outfile: join(project, "bundle.js"),
    metafile: true,
    logLevel: "silent",
  });
  const bytes = Object.values(metafile.outputs).map((output) => output.bytes);
  console.log(`a page with blobs in memory: ${bytes} bytes, minified`);
  expect(warnings).toEqual([]);
}, 300_000);

test("nor does @tvix/store, but for the messages of gRPC", async () => {
  const project = await temporaryDirectory();
  await installedProject(project, STORE);
  expect(listed(project).filter((name) => OF_NODE.test(name))).toEqual([]);
  expect(globSync("node_modules/**/*.node", { cwd: project })).toEqual([]);
}, 300_000);
