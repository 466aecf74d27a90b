import { execFileSync } from "node:child_process";
import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PublicKey, SecretKey } from "@tvix/narinfo";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";

/** `hello.txt` and a small tree beside it. */
async function samples(): Promise<string> {
  const folder = await temporaryDirectory();
  await writeFile(join(folder, "hello.txt"), "Hello World!");
  await mkdir(join(folder, "complicated", "keep"), { recursive: true });
  await writeFile(join(folder, "complicated", ".keep"), "");
  await writeFile(join(folder, "complicated", "keep", ".keep"), "");
  await symlink("/nix/store/somewhereelse", join(folder, "complicated", "aa"));
  return folder;
}

const HELLO = "/nix/store/925f1jb1ajrypjbyq7rylwryqwizvhp0-hello.txt";
const COMPLICATED = "/nix/store/pngqdzggfqs4q7fg6iywqnlzcgsp85qr-complicated";

describe.each(["a daemon", "a data directory"])("commands for store paths on %s", (where) => {
  const prepare = async () => {
    const data = join(await temporaryDirectory(), "data");
    return where === "a daemon" ? (await startDaemon(data)).options : ["--data", data];
  };
  const runIn =
    (options: readonly string[]) =>
    async (...args: string[]) => {
      const finished = await tvixStore(...args, ...options);
      expect(finished).toMatchObject({ status: 0, stderr: "" });
      return finished.stdout;
    };

  test("import paths, and tell what is known of them", async () => {
    const options = await prepare();
    const run = runIn(options);
    const folder = await samples();
    const paths = [join(folder, "hello.txt"), `${join(folder, "complicated")}/`];
    expect(await run("import", ...paths)).toBe(`${HELLO}\n${COMPLICATED}\n`);
    expect((await run("path-info", "list")).trim().split("\n").sort()).toEqual([HELLO, COMPLICATED]);

    const info = JSON.parse(await run("path-info", COMPLICATED, "--json"));
    expect(info).toMatchObject({
      path: COMPLICATED,
      narSize: 840,
      narHash: "sha256-69UieajfAkyf1XGN5BA79edg3H8s9JBE7n3qh6sWkRo=",
      references: [],
      deriver: null,
      signatures: [],
      ca: "fixed:r:sha256:06li2smqgskxxr291x1cgzf61rzm7c8f93bisnglq0nzm1wj5mgb",
      node: { type: "directory", size: 8 },
    });
    const listed = (await run("path-info", "list", "--json")).trim().split("\n");
    expect(listed.map((line) => JSON.parse(line).path).sort()).toEqual([HELLO, COMPLICATED]);
    expect(await run("path-info", COMPLICATED.slice("/nix/store/".length))).toContain(
      `StorePath: ${COMPLICATED}\nNarHash: sha256:06li2smqgskxxr291x1cgzf61rzm7c8f93bisnglq0nzm1wj5mgb\nNarSize: 840\n`,
    );
    const [imported] = JSON.parse(await run("import", paths[1] as string, "--json"));
    expect(imported).toEqual(info);
  });

  test("write, read and list NARs", async () => {
    const options = await prepare();
    const run = runIn(options);
    const folder = await samples();
    await run("import", join(folder, "hello.txt"), join(folder, "complicated"));
    const nar = join(folder, "complicated.nar");
    const tvix = join(import.meta.dirname, "../bin/tvix-store.js");
    await writeFile(nar, execFileSync(process.execPath, [tvix, "nar", "dump", COMPLICATED, ...options]));
    expect((await stat(nar)).size).toBe(840);
    const digest = (await run("nar", "ingest", nar)).trim();
    const fromStdin = execFileSync(process.execPath, [tvix, "nar", "ingest", "-", ...options], {
      input: await readFile(nar),
    });
    expect(fromStdin.toString().trim()).toBe(digest);
    expect(JSON.parse(await run("nar", "ingest", nar, "--json"))).toEqual({
      node: { type: "directory", digest, size: 8 },
      narSize: 840,
      narHash: "sha256-69UieajfAkyf1XGN5BA79edg3H8s9JBE7n3qh6sWkRo=",
    });
    expect(await run("nar", "dump", digest)).toBe(await readFile(nar, "utf8"));
    expect(JSON.parse(await run("nar", "ls", digest, "--json")).root.entries.keep.entries).toEqual({
      ".keep": { narOffset: 760, size: 0, type: "regular" },
    });
    expect(await run("nar", "ls", COMPLICATED)).toMatch(/ \.keep\n.* aa -> .*\n.* keep\n.* keep\/\.keep\n$/);
    expect(await run("nar", "dump", HELLO)).toContain("Hello World!");
  });

  test("say what is wrong, and store nothing", async () => {
    const options = await prepare();
    const folder = await samples();
    const refused = async (status: number, message: RegExp, ...args: string[]) => {
      const finished = await tvixStore(...args, ...options);
      expect(finished).toMatchObject({ status, stdout: "", stderr: expect.stringMatching(message) });
    };
    await refused(
      1,
      /^tvix-store: .*does not say which name/,
      "import",
      join(folder, "hello.txt"),
      `${folder}/..`,
    );
    await writeFile(join(folder, "a b"), "");
    await refused(1, /^tvix-store: not a store path: "a b"/, "import", join(folder, "a b"));
    await refused(1, /ENOENT/, "import", join(folder, "nowhere"));
    await refused(1, /is not in the store/, "path-info", HELLO);
    await refused(2, /not a store path/, "path-info", "/nix/store/short");
    await refused(1, /is not in the store/, "nar", "dump", HELLO);
    await refused(2, /not a BLAKE3 digest/, "nar", "dump", "blake3-x");
    await writeFile(join(folder, "broken.nar"), "nix-archive-1");
    await refused(1, /^tvix-store: (not a NAR|the NAR ends)/, "nar", "ingest", join(folder, "broken.nar"));
    await refused(1, /ENOENT/, "nar", "ingest", join(folder, "nowhere.nar"));
    expect((await tvixStore("path-info", "list", ...options)).stdout).toBe("");
  });
});

test("keys are made, kept to their owner, never overwritten, and sign what a daemon takes", async () => {
  const folder = await temporaryDirectory();
  const file = join(folder, "secret.key");
  const made = await tvixStore("keys", "generate", "cache.example.org-1", file);
  expect(made).toMatchObject({ status: 0, stderr: "" });
  const key = SecretKey.parse(await readFile(file, "utf8"));
  expect(made.stdout).toBe(`${key.publicKey}\n`);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await tvixStore("keys", "generate", "other-1", file)).status).toBe(1);
  expect(SecretKey.parse(await readFile(file, "utf8")).export()).toBe(key.export());
  const printed = await tvixStore("keys", "generate", "printed-1");
  expect(String(SecretKey.parse(printed.stdout).publicKey)).toBe(
    printed.stderr.replace("public key: ", "").trim(),
  );
  expect((await tvixStore("keys", "generate", "a b")).status).toBe(2);

  const daemon = await startDaemon(join(folder, "data"), "--signing-key-file", file);
  await tvixStore("import", join(await samples(), "hello.txt"), ...daemon.options);
  const info = JSON.parse((await tvixStore("path-info", HELLO, "--json", ...daemon.options)).stdout);
  expect(info.signatures).toEqual([String(key.sign(info.fingerprint))]);
  expect(PublicKey.parse(made.stdout.trim()).name).toBe("cache.example.org-1");

  await writeFile(file, "no key");
  const refused = await tvixStore("daemon", "--data", join(folder, "other"), "--signing-key-file", file);
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/holds no signing key/) });
});
