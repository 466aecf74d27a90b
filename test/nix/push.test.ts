import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalNixStore } from "@tvix/nix-local";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Daemon, startDaemon, tvixStore } from "../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../temporary.ts";
import { type NixHome, nixHome, removeHome } from "./nix-home.ts";
import { noNix } from "./real-nix.ts";

if (noNix !== undefined) console.warn(`skipped: ${noNix}`);

/** A root that refers to a path that stays and to one that changes, of which nearly all is the same. */
const EXPRESSION = `{ seed, change }:
let
  build = name: script: derivation {
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    PATH = "/usr/bin:/bin";
    args = [ "-euc" script ];
  };
  same = build "same" "seq 1 300000 > $out; echo \${seed} >> $out";
  changing = build "changing" "seq 1 900000 > $out; echo \${seed} \${change} >> $out";
in build "root" "mkdir $out; ln -s \${same} $out/same; echo \${changing} > $out/changing"
`;

const BIN = join(import.meta.dirname, "../../packages/server/bin/tvix-store.js");

describe.skipIf(noNix !== undefined)("a real Nix and its store", () => {
  async function newHome(): Promise<NixHome> {
    const base = await mkdtemp(join(tmpdir(), "nix-home-"));
    onTestFinished(() => removeHome(base));
    await writeFile(join(base, "expression.nix"), EXPRESSION);
    return await nixHome(base);
  }

  const build = async (home: NixHome, seed: string, change: string) =>
    (
      await home.run(
        "nix-build",
        join(home.base, "expression.nix"),
        ...["--no-out-link", "--argstr", "seed", seed, "--argstr", "change", change],
      )
    ).trim();

  async function push(daemon: Daemon, ...args: string[]) {
    const { status, stdout, stderr } = await tvixStore("push", "--json", ...args, ...daemon.options);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return JSON.parse(stdout);
  }

  test("is pushed, and not again; of what has changed little is sent; and Nix fetches it after `use`", async () => {
    const home = await newHome();
    const seed = `push ${process.pid} ${Date.now()}`;
    const folder = await temporaryDirectory();
    const key = (await tvixStore("keys", "generate", "push-1")).stdout;
    await writeFile(join(folder, "key"), key);
    const daemon = await startDaemon(join(folder, "data"), "--signing-key-file", join(folder, "key"));
    const root = await build(home, seed, "1");
    await symlink(root, join(folder, "result"));
    expect(await push(daemon, join(folder, "result"))).toMatchObject({
      paths: 3,
      present: 0,
      stored: 3,
      skipped: 0,
    });
    expect(await push(daemon, root)).toMatchObject({ paths: 3, present: 3, stored: 0, bytes: 0 });
    const changed = await build(home, seed, "2");
    const before = await stored(daemon);
    expect(await push(daemon, join(changed, "changing"))).toMatchObject({ paths: 3, present: 1, stored: 2 });
    // Six MB of contents, of which one chunk is new.
    expect((await stored(daemon)) - before).toBeLessThan(600_000);

    const conf = join(home.base, "home/.config/nix/nix.conf");
    const use = await tvixStore("use", daemon.url, "--write", "--nix-conf", conf);
    expect(use).toMatchObject({ status: 0 });
    const store = home.freshStore();
    await home.run("nix-store", "--realise", changed, root, "--store", store);
    expect(await readFile(join(store, changed, "changing"))).toEqual(
      await readFile(join(changed, "changing")),
    );
    await home.nix("store", "verify", "--all", "--store", store);
    await tvixStore("use", daemon.url, "--undo", "--nix-conf", conf);
    expect(await readFile(conf, "utf8")).toBe("");
  }, 120_000);

  /** Bytes that a daemon has written. */
  async function stored({ url }: Daemon): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text();
    return Number(/^tvix_store_chunk_stored_bytes_total (\d+)/m.exec(text)?.[1] ?? Number.NaN);
  }

  test("what it adds is pushed as long as somebody watches", async () => {
    const home = await newHome();
    const daemon = await startDaemon(join(await temporaryDirectory(), "data"));
    const watching = spawn(process.execPath, [BIN, "watch-store", "--json", ...daemon.options]);
    onTestFinished(() => void watching.kill("SIGKILL"));
    await once(watching.stderr, "data");
    const seed = `watch ${process.pid} ${Date.now()}`;
    const roots = [await build(home, seed, "1"), await build(home, seed, "2")];
    for (const root of roots) {
      await expect
        .poll(
          async () =>
            (await fetch(`${daemon.url}/serve/${root.slice("/nix/store/".length)}.tar`, { method: "HEAD" }))
              .status,
          { timeout: 60_000, interval: 200 },
        )
        .toBe(200);
    }
    const ended = once(watching, "exit");
    watching.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
  }, 120_000);

  test("a path that is refused is told, and keeps nobody from watching on", async () => {
    const home = await newHome();
    const key = (await tvixStore("keys", "generate", "others-1")).stderr;
    const trusted = /others-1:\S+/.exec(key)?.[0] ?? "others-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const strict = ["--unsigned-uploads", "require", "--trusted-public-key", trusted];
    const daemon = await startDaemon(join(await temporaryDirectory(), "data"), ...strict);
    const watching = spawn(process.execPath, [BIN, "watch-store", ...daemon.options]);
    onTestFinished(() => void watching.kill("SIGKILL"));
    let told = "";
    watching.stderr.on("data", (piece) => {
      told += piece;
    });
    await once(watching.stderr, "data");
    const root = await build(home, `refused ${process.pid} ${Date.now()}`, "1");
    await expect
      .poll(() => told, { timeout: 60_000, interval: 200 })
      .toContain(`tvix-store: ${root.slice(11)}: `);
    const ended = once(watching, "exit");
    watching.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
  }, 120_000);

  test("paths that others have signed are left out, unless told otherwise", async () => {
    const home = await newHome();
    const daemon = await startDaemon(join(await temporaryDirectory(), "data"));
    const root = await build(home, `skip ${process.pid} ${Date.now()}`, "1");
    const [secret, publicKey] = [join(home.base, "secret"), join(home.base, "public")];
    await home.run("nix-store", "--generate-binary-cache-key", "others-1", secret, publicKey);
    await home.nix("store", "sign", "-k", secret, root);
    expect(await push(daemon, root, "--skip-signed-by", "others-1")).toMatchObject({ stored: 2, skipped: 1 });
    expect(await push(daemon, root)).toMatchObject({ stored: 1, present: 2 });
  }, 120_000);

  test("a path that is not registered has the references that are in its files", async () => {
    const home = await newHome();
    const store = home.freshStore();
    const source = join(home.base, "text");
    await writeFile(source, "referred to");
    const known = (await home.run("nix-store", "--add", source, "--store", store)).trim();
    const other = (
      await home.run("nix-store", "--add", join(home.base, "expression.nix"), "--store", store)
    ).trim();
    const name = "00000000000000000000000000000000-by-hand";
    await mkdir(join(store, "nix/store", name));
    await writeFile(
      join(store, "nix/store", name, "file"),
      `${"x".repeat(300_000)}see ${known}, and /nix/store/${name}`,
    );
    using nix = LocalNixStore.open({ root: store });
    const [referred, byHand, ...more] = await nix.closure([nix.resolve(`/nix/store/${name}/file`)]);
    expect(more).toEqual([]);
    expect(`${referred?.storePath.toAbsolute()}`).toBe(known);
    expect(byHand).toMatchObject({ isRegistered: false, signatures: [] });
    expect(byHand?.references.map((path) => path.toAbsolute())).toEqual([`/nix/store/${name}`, known]);
    expect(other).not.toBe(known);
    const daemon = await startDaemon(join(await temporaryDirectory(), "data"));
    expect(await push(daemon, "--nix-root", store, join(store, "nix/store", name))).toMatchObject({
      stored: 2,
    });
    // Where it cannot be read as Nix writes it, it is as it was: and looked at anew each time.
    const { last } = nix.registeredAfter(0);
    await home.run("nix-store", "--add", join(home.base, "expression.nix"), "--store", store);
    expect(nix.registeredAfter(last)).toMatchObject({ paths: [], unreadable: [], last });
    const nothing = await tvixStore("push", "--nix-root", store, "/nix/store/none", ...daemon.options);
    expect(nothing).toMatchObject({ status: 1, stderr: "tvix-store: /nix/store/none does not exist\n" });
  }, 60_000);
});
