#!/usr/bin/env -S node --max-semi-space-size=8
// The young generation of the heap is kept small: data travels outside of it, and memory
// that V8 takes for it is never given back.
//
// A file that exists before the build, so that a package manager can link it.
const [major] = process.versions.node.split(".").map(Number);
if (major < 22) {
  console.error(`tvix-store needs Node.js 22.18 or newer; this is ${process.version}`);
  process.exit(1);
}
// Node opens its debugger on this signal, to whoever can connect to this machine.
process.on("SIGUSR1", () => {});
await keepCompiledCode();
import("../dist/program/cli.js").then(
  ({ main }) => main(process.argv),
  (error) => {
    if (error?.code !== "ERR_MODULE_NOT_FOUND") throw error;
    console.error("tvix-store is not built yet: run `npx pnpm@12 build` first");
    process.exitCode = 1;
  },
);

/**
 * Compiled once, code starts in two thirds of the time. Only in a folder of the user's own, into which nobody else can write:
 * who can, can have us run anything, such as a user whose folder `sudo` has left in the environment.
 */
async function keepCompiledCode() {
  const [{ enableCompileCache }, { mkdirSync, statSync }, { homedir }, { isAbsolute, join }] =
    await Promise.all(["node:module", "node:fs", "node:os", "node:path"].map((name) => import(name)));
  try {
    const given = process.env.XDG_CACHE_HOME ?? "";
    const folder = join(isAbsolute(given) ? given : join(homedir(), ".cache"), "tvix-store");
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(folder);
    if (uid === process.getuid?.() && (mode & 0o022) === 0) enableCompileCache?.(folder);
  } catch {
    // Without such a folder it is compiled each time.
  }
}
