// Beside real Nix, as Debian has it: names, NARs, hashes, signatures.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { openStore } from "@tvix/castore-packs";
import { dumpPath, restorePath } from "@tvix/nar/fs";
import { fingerprint, formatNarInfo, PublicKey, parseNarInfo, SecretKey, Signature } from "@tvix/narinfo";
import { NixHash, StorePath } from "@tvix/nix-compat";
import { ingestNar, type PathInfo, RenderingNarCalculation, renderNar, toNarInfo } from "@tvix/store";
import { importPath } from "@tvix/store/node";
import { RecordPathInfoService } from "@tvix/store/records";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { anyTree } from "../../packages/nar/test/trees.ts";
import { newNix, nix, noNix } from "./real-nix.ts";
import { writeTree } from "./trees-on-disk.ts";

const TVIX_STORE = [join(import.meta.dirname, "../../packages/server/bin/tvix-store.js")];
const RANDOM_TREES = 300;
const SEED = 20_261_123;

let base: string;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "nix-test-"));
});
afterAll(async () => {
  // What Nix has in its store is read-only.
  execFileSync("chmod", ["-R", "u+w", base]);
  await rm(base, { recursive: true });
});

if (noNix !== undefined) console.warn(`skipped: ${noNix}`);

describe.skipIf(noNix !== undefined)("beside real Nix", () => {
  /** What `nix-store --add` calls these paths. */
  const addedByNix = async (paths: readonly string[]) => {
    const added = await nix("nix-store", ["--store", join(base, "nix"), "--add", ...paths]);
    return added.toString().trim().split("\n");
  };

  const tvixStore = (...args: readonly string[]) =>
    execFileSync(process.execPath, [...TVIX_STORE, ...args, "--data", join(base, "cli")], {
      maxBuffer: 1 << 30,
    });

  test(`${RANDOM_TREES} random trees have the names, NARs and hashes that Nix gives them`, {
    timeout: 240_000,
  }, async () => {
    const trees = fc.sample(anyTree(), { numRuns: RANDOM_TREES, seed: SEED });
    const folder = join(base, "random");
    await mkdir(folder);
    const paths: string[] = [];
    for (const [index, tree] of trees.entries()) {
      const path = join(folder, `tree-${index}`);
      await writeTree(tree, Buffer.from(path));
      paths.push(path);
    }
    const expected = await addedByNix(paths);
    expect(
      tvixStore("import", ...paths)
        .toString()
        .trim()
        .split("\n"),
    ).toEqual(expected);

    await using store = await openStore(join(base, "random-store"), { sync: false });
    const hashes = (await nix("nix-hash", ["--type", "sha256", "--base32", ...paths]))
      .toString()
      .trim()
      .split("\n");
    for (const [index, path] of paths.entries()) {
      const nar = await nix("nix-store", ["--dump", path]);
      expect(Buffer.compare(await collect(dumpPath(path), 1 << 20), nar)).toBe(0);
      const { node, narHash, narSize } = await ingestNar(nar, store);
      expect([String(narHash), narSize]).toEqual([`sha256:${hashes[index]}`, nar.length]);
      expect(Buffer.compare(await collect(renderNar(node, store), 1 << 20), nar)).toBe(0);
      const imported = await importPath(path, {
        ...store,
        pathInfoService: new RecordPathInfoService(store.database),
        narCalculationService: new RenderingNarCalculation(store),
      });
      expect(imported.node).toEqual(node);
      expect(imported.storePath.toAbsolute()).toBe(expected[index]);
    }
  });

  test.each([
    ["a Node installation", async () => dirname(dirname(process.execPath))],
    ["the files of a Debian package", filesOfBash],
  ])("%s has the name and the NAR that Nix gives it", { timeout: 240_000 }, async (_, find) => {
    const path = await find();
    const [expected] = await addedByNix([path]);
    expect(tvixStore("import", path).toString().trim()).toBe(expected);
    const sha256 = (nar: Uint8Array) => createHash("sha256").update(nar).digest("hex");
    const nar = await nix("nix-store", ["--dump", path]);
    expect(sha256(tvixStore("nar", "dump", expected as string))).toBe(sha256(nar));
    await writeFile(join(base, "real.nar"), nar);
    const ingested = JSON.parse(tvixStore("nar", "ingest", join(base, "real.nar"), "--json").toString());
    const info = JSON.parse(tvixStore("path-info", expected as string, "--json").toString());
    expect(ingested).toEqual({ node: info.node, narSize: info.narSize, narHash: info.narHash });
    const listed = JSON.parse(
      await newNix("nar", "ls", "--json", "--recursive", join(base, "real.nar"), "/"),
    );
    expect(JSON.parse(tvixStore("nar", "ls", expected as string, "--json").toString()).root).toEqual(listed);
    const copy = join(base, "restored");
    await restorePath([nar], copy);
    execFileSync("diff", ["-r", "--no-dereference", path, copy]);
    await rm(copy, { recursive: true });
  });

  /** The files of bash, in a folder of their own. */
  async function filesOfBash(): Promise<string> {
    const folder = join(base, "bash");
    await mkdir(folder);
    const listed = execFileSync("dpkg", ["-L", "bash"]).toString().trim().split("\n");
    const files = [];
    for (const path of listed) if (!(await stat(path)).isDirectory()) files.push(path);
    const packed = execFileSync("tar", ["-c", "-P", ...files], { maxBuffer: 1 << 28 });
    execFileSync("tar", ["-x", "-C", folder], { input: packed, stdio: ["pipe", "ignore", "ignore"] });
    return folder;
  }

  /** A store with one path, and what Nix says of it. */
  const storeWithOnePath = async (name: string) => {
    const path = join(base, name);
    await writeFile(path, `the contents of ${name}`);
    const [storePath = ""] = await addedByNix([path]);
    const store = `${join(base, "nix")}`;
    return { path, storePath, store };
  };

  test("Nix's signatures verify here", async () => {
    const { storePath, store } = await storeWithOnePath("signed-by-nix");
    const keyFile = join(base, "nix.key");
    await writeFile(keyFile, await newNix("key", "generate-secret", "--key-name", "nix-test-1"));
    await newNix("store", "sign", "--store", store, "--key-file", keyFile, storePath);
    const [info] = JSON.parse(await newNix("path-info", "--store", store, "--json", storePath));
    const signed = {
      storePath: StorePath.fromAbsolute(info.path),
      narHash: NixHash.parse(info.narHash),
      narSize: info.narSize,
      references: info.references.map(StorePath.fromAbsolute),
    };
    const key = SecretKey.parse(await readFile(keyFile, "utf8"));
    const [signature] = info.signatures.map((text: string) => Signature.parse(text));
    expect(PublicKey.parse(String(key.publicKey)).verify(fingerprint(signed), signature)).toBe(true);
    // Ed25519 signatures are deterministic, so ours are the same.
    expect(String(key.sign(fingerprint(signed)))).toBe(String(signature));
  });

  test("Nix verifies our signatures, and reads our narinfos", async () => {
    const { path, storePath } = await storeWithOnePath("signed-by-us");
    const cache = join(base, "cache");
    await mkdir(cache, { recursive: true });
    await using store = await openStore(join(base, "signing"), { sync: false });
    const info = await importPath(path, {
      ...store,
      pathInfoService: new RecordPathInfoService(store.database),
      narCalculationService: new RenderingNarCalculation(store),
    });
    expect(info.storePath.toAbsolute()).toBe(storePath);
    const key = SecretKey.generate("our-test-1");
    await writeFile(join(cache, "nix-cache-info"), "StoreDir: /nix/store\n");
    await writeFile(join(cache, "test.nar"), await collect(renderNar(info.node, store), 1 << 20));
    const publish = async (signed: PathInfo) =>
      await writeFile(
        join(cache, `${info.storePath.digestText()}.narinfo`),
        formatNarInfo(toNarInfo({ ...signed, contentAddress: undefined }, "test.nar")),
      );
    const verify = (trusted: SecretKey) =>
      newNix(
        "store",
        "verify",
        ...["--store", `file://${cache}`, "--option", "narinfo-cache-positive-ttl", "0"],
        ...["--trusted-public-keys", String(trusted.publicKey), storePath],
      );
    await publish(info);
    await expect(verify(key)).rejects.toThrow(/untrusted|signature/);
    await publish({ ...info, signatures: [key.sign(fingerprint(info))] });
    await verify(key);
    await expect(verify(SecretKey.generate("our-test-1"))).rejects.toThrow(/untrusted|signature/);
  });

  test("Nix's narinfos are written again as they were", async () => {
    const { storePath, store } = await storeWithOnePath("copied-by-nix");
    const cache = join(base, "nix-cache");
    for (const compression of ["xz", "none", "zstd"]) {
      const to = `file://${cache}-${compression}?compression=${compression}`;
      await newNix("copy", "--from", store, "--no-check-sigs", "--to", to, storePath);
      const files = (await readdir(`${cache}-${compression}`)).filter((name) => name.endsWith(".narinfo"));
      expect(files).toHaveLength(1);
      for (const name of files) {
        const text = await readFile(join(`${cache}-${compression}`, name), "utf8");
        expect(formatNarInfo(parseNarInfo(text))).toBe(text);
      }
    }
  });
});
