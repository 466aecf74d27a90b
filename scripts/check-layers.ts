// Holds the layers of docs/architecture.md against the packages: arrows point down only,
// declared dependencies are those imported, pure packages stay pure, and no file of a package
// imports itself in a circle.
import { globSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize, relative } from "node:path";
import { SEPARATE_PACKAGES } from "../packages/server/tsup.program.ts";

/** Layer of each package; packages of one layer do not import each other. */
const LAYERS: Readonly<Record<string, number>> = {
  "@tvix/protocol": 0,
  "@tvix/byte-stream": 0,
  "@tvix/grpc-reflection": 0,
  "@tvix/http-resource": 1,
  "@tvix/nix-compat": 1,
  "@tvix/castore": 1,
  "@tvix/nar": 1,
  "@tvix/narinfo": 2,
  "@tvix/blake3-native": 2,
  "@tvix/castore-level": 2,
  "@tvix/castore-grpc": 2,
  "@tvix/castore-fs": 2,
  "@tvix/castore-archive": 2,
  "@tvix/castore-http": 3,
  "@tvix/castore-postgres": 2,
  "@tvix/castore-packs": 3,
  "@tvix/store": 3,
  "@tvix/castore-s3": 4,
  "@tvix/nar-bridge": 4,
  "@tvix/nix-local": 4,
  "@tvix/web": 4,
  "@tvix/server": 5,
};

/** Packages that run in any engine: no module of Node, anywhere. */
const PURE = new Set([
  "@tvix/protocol",
  "@tvix/nix-compat",
  "@tvix/byte-stream",
  "@tvix/grpc-reflection",
  "@tvix/castore",
  "@tvix/castore-level",
]);

/** Of packages that run in browsers too, what only Node has: nothing else may import from it. */
const NODE_ONLY: Readonly<Record<string, readonly string[]>> = {
  "@tvix/castore-grpc": ["src/http2/", "src/http2.ts"],
  "@tvix/nar": ["src/fs/", "src/fs.ts"],
  "@tvix/narinfo": ["src/keys/ed25519-node.ts"],
  "@tvix/store": ["src/fs/", "src/node.ts", "src/hash/hasher-node.ts"],
};

/** Packages whose build holds what they import: those are no dependencies of who installs them. */
const BUNDLED = new Set(["@tvix/web"]);

const IMPORT = /\bfrom "([^"]+)"|\bimport "([^"]+)"|\bimport\("([^"]+)"\)|new URL\("(\.[^"]+)"/g;

interface Source {
  readonly file: string;
  readonly imports: readonly string[];
}

const problems: string[] = [];

for (const manifestPath of globSync("packages/*/package.json").sort()) {
  const manifest = JSON.parse(readFileSync(manifestPath, "utf8"));
  const folder = dirname(manifestPath);
  const sources = globSync(`${folder}/src/**/*.ts`).map(
    (file): Source => ({
      file: relative(folder, file),
      imports: [...readFileSync(file, "utf8").matchAll(IMPORT)].map(
        (match) => match.slice(1).find((found) => found !== undefined) as string,
      ),
    }),
  );
  checkLayer(manifest);
  checkImports(manifest, sources);
  checkCycles(manifest.name, sources);
}

if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exitCode = 1;
} else {
  console.log("layers, imports and cycles are in order");
}

function checkLayer({
  name,
  dependencies = {},
}: {
  name: string;
  dependencies?: Record<string, string>;
}): void {
  const layer = LAYERS[name];
  if (layer === undefined) problems.push(`${name} has no layer: add it to scripts/check-layers.ts`);
  for (const dependency of Object.keys(dependencies).filter((other) => other in LAYERS)) {
    if ((LAYERS[dependency] as number) >= (layer ?? 0))
      problems.push(`${name} must not depend on ${dependency}`);
  }
}

function checkImports(
  manifest: Record<string, Record<string, string>> & { name: string },
  sources: Source[],
): void {
  const declared = new Set(
    [
      "dependencies",
      "peerDependencies",
      "optionalDependencies",
      ...(BUNDLED.has(manifest.name) ? ["devDependencies"] : []),
    ].flatMap((kind) => Object.keys(manifest[kind] ?? {})),
  );
  const used = new Set<string>();
  for (const { file, imports } of sources) {
    for (const specifier of imports) {
      if (specifier.startsWith(".") || specifier.startsWith("#")) continue;
      const isBuiltin = specifier.startsWith("node:") || builtinModules.includes(specifier);
      if (isBuiltin && PURE.has(manifest.name))
        problems.push(`${manifest.name}: ${file} imports ${specifier}`);
      if (isBuiltin && manifest.name in NODE_ONLY && !isNodeOnly(manifest.name, file)) {
        problems.push(`${manifest.name}: ${file} imports ${specifier}, and must run in a browser`);
      }
      if (isBuiltin) continue;
      const dependency = specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
      used.add(dependency);
      if (!declared.has(dependency))
        problems.push(`${manifest.name}: ${file} imports undeclared ${dependency}`);
    }
    for (const target of localImports({ file, imports })) {
      if (isNodeOnly(manifest.name, target) && !isNodeOnly(manifest.name, file)) {
        problems.push(`${manifest.name}: ${file} imports ${target}, which needs Node`);
      }
    }
  }
  if (manifest.name === "@tvix/server") {
    for (const separate of SEPARATE_PACKAGES) {
      if (!declared.has(separate))
        problems.push(`${manifest.name}: the command needs ${separate}, which is not declared`);
    }
  }
  for (const dependency of Object.keys(manifest["dependencies"] ?? {})) {
    const isForProgram = manifest.name === "@tvix/server" && SEPARATE_PACKAGES.includes(dependency);
    if (!used.has(dependency) && !isForProgram)
      problems.push(`${manifest.name} declares ${dependency} and does not import it`);
  }
}

function checkCycles(name: string, sources: Source[]): void {
  const graph = new Map(sources.map((source) => [source.file, localImports(source)]));
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string) => {
    if (done.has(file)) return;
    if (path.includes(file)) {
      problems.push(
        `${name}: imports run in a circle: ${[...path.slice(path.indexOf(file)), file].join(" > ")}`,
      );
      return;
    }
    path.push(file);
    for (const next of graph.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
}

function localImports({ file, imports }: Source): string[] {
  return imports
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => normalize(join(dirname(file), specifier)));
}

function isNodeOnly(name: string, file: string): boolean {
  return (NODE_ONLY[name] ?? []).some((prefix) => file.startsWith(prefix));
}
