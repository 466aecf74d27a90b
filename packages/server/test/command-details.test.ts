import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { quoteName } from "../src/cli/quote-name.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";

const BIN = join(import.meta.dirname, "../bin/tvix-store.js");

test.each([[["--version"]], [["daemon", "--help"]], [["castore", "ingest", "file", "--data", "data"]]])(
  "%j to a full disk is one line and exit status 1",
  async (args) => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, "file"), "contents");
    const { status, stderr } = spawnSync(
      "sh",
      ["-c", `"$@" > /dev/full`, "sh", process.execPath, BIN, ...args],
      {
        cwd: directory,
        encoding: "utf8",
      },
    );
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/^tvix-store: cannot write to stdout: ENOSPC.*\n$/),
    ]);
  },
);

test.each<[string, string]>([
  ["plain name.txt", "plain name.txt"],
  ["größe", "größe"],
  ["a\nb", '"a\\nb"'],
  ["\u001b[31mred", '"\\033[31mred"'],
  ['a "quoted" one', '"a \\"quoted\\" one"'],
  ["back\\slash", '"back\\\\slash"'],
  ["\u202egpj.exe", '"\\342\\200\\256gpj.exe"'],
])("%j is listed as %s", (name, line) => {
  expect(quoteName(Buffer.from(name))).toBe(line);
});

test("a name that is not UTF-8 is listed with its bytes", () => {
  expect(quoteName(Buffer.from([0x61, 0xff, 0x0a]))).toBe('"a\\377\\n"');
});

test("names are quoted in lists, and as they are with -z", async () => {
  const directory = await temporaryDirectory();
  const tree = join(directory, "tree");
  await mkdir(tree);
  await writeFile(join(tree, "one\ntwo \u001b[31m"), "contents");
  const data = ["--data", join(directory, "data")];
  const digest = (await tvixStore("castore", "ingest", tree, ...data)).stdout.trim();
  for (const command of [
    ["castore", "ls"],
    ["nar", "ls"],
  ]) {
    const lines = (await tvixStore(...command, digest, ...data)).stdout;
    expect(lines).toMatch(/ "one\\ntwo \\033\[31m"\n$/);
    const raw = (await tvixStore(...command, digest, "-z", ...data)).stdout;
    expect(raw.endsWith(" one\ntwo \u001b[31m\0")).toBe(true);
    expect((await tvixStore(...command, digest, "-z", "--json", ...data)).status).toBe(2);
  }
});

test("what takes its time says so on a terminal, and nowhere else", async () => {
  const data = join(await temporaryDirectory(), "data");
  expect((await tvixStore("castore", "ingest", BIN, "--data", data)).status).toBe(0);
  const command = `"${process.execPath}" "${BIN}" verify --data "${data}"`;
  const { stdout, error } = spawnSync("script", ["-qec", command, "/dev/null"], { encoding: "utf8" });
  if (error !== undefined) console.warn("not tried on a terminal: there is no script(1)");
  else expect(stdout).toMatch(/verify: \d+ s[\s\S]*looked at 0 paths/);
  const { stderr } = await tvixStore("verify", "--data", data);
  expect(stderr).toMatch(/^looked at 0 paths[^\n]*\n$/);
});

test("the line of progress does not write over what is printed", async () => {
  const folder = await temporaryDirectory();
  const data = ["--data", join(folder, "data")];
  const digests: string[] = [];
  for (const [name, count] of [
    ["a", 3],
    ["b", 6],
  ] as const) {
    await mkdir(join(folder, name));
    for (let file = 0; file < count; file++)
      await writeFile(join(folder, name, `file-${file}`), `${name} ${file}`);
    digests.push((await tvixStore("castore", "ingest", join(folder, name), ...data)).stdout.trim());
  }
  const command = [process.execPath, BIN, "diff", ...digests.map((one) => `directory:${one}`), ...data];
  const { stdout, error } = spawnSync("script", ["-qec", command.join(" "), "/dev/null"], {
    encoding: "utf8",
  });
  if (error !== undefined) return console.warn("not tried on a terminal: there is no script(1)");
  const shown = stdout.slice(stdout.indexOf("file-0"));
  expect(shown).toContain("6 differences");
  // Nothing that moves the cursor, or takes a line away, comes behind the first line.
  expect(shown.includes("\u001b")).toBe(false);
});

test("keys, tokens and mistakes are printed as JSON", async () => {
  const folder = await temporaryDirectory();
  const json = async (...args: string[]) => JSON.parse((await tvixStore(...args, "--json")).stdout);
  const file = join(folder, "key");
  expect(await json("keys", "generate", "a-1", file)).toEqual({
    file,
    publicKey: expect.stringMatching(/^a-1:/),
  });
  expect(await json("keys", "generate", "b-1")).toEqual({
    publicKey: expect.stringMatching(/^b-1:/),
    secretKey: expect.stringMatching(/^b-1:/),
  });
  const tokens = ["--token-file", join(folder, "tokens.json")];
  const { token, id, ...shown } = await json("token", "create", "ci", "--scope", "write", ...tokens);
  expect(token.startsWith(`tvix_${id}_`)).toBe(true);
  expect(shown).toMatchObject({ name: "ci", scope: "write" });
  expect(shown).not.toHaveProperty("hash");
  const config = join(folder, "config.toml");
  await writeFile(config, "[daemon]\nno-such = 1\n");
  const checked = await tvixStore("config", "check", config, "--json");
  expect(checked.status).toBe(1);
  expect(JSON.parse(checked.stdout)).toEqual({
    file: config,
    mistakes: [expect.objectContaining({ line: 2, column: 1, text: expect.stringContaining("no-such") })],
  });
  // Each setting is right, and they do not go together.
  await writeFile(config, '[daemon]\nextents = "s3://bucket/packs"\n');
  const [text, asJson] = [
    await tvixStore("config", "check", config),
    await tvixStore("config", "check", config, "--json"),
  ];
  expect([text.status === 0, asJson.status]).toEqual([false, 1]);
  expect(JSON.parse(asJson.stdout).mistakes).toEqual([{ text: expect.stringContaining("records") }]);
});

test("one option, or one variable, says where all services are; --data goes before the environment", async () => {
  const directory = await temporaryDirectory();
  const file = join(directory, "file");
  await writeFile(file, "contents");
  const daemon = await startDaemon(join(directory, "data"));
  const address = `grpc+${daemon.url}`;
  const ingested = await tvixStore("castore", "ingest", file, "--service-addr", address);
  expect(ingested).toMatchObject({ status: 0, stderr: "" });
  const run = (variables: Record<string, string>, ...args: string[]) =>
    spawnSync(process.execPath, [BIN, ...args], { encoding: "utf8", env: { ...process.env, ...variables } });
  expect(run({ TVIX_STORE_ADDR: address }, "castore", "cat", ingested.stdout.trim()).stdout).toBe("contents");
  const own = ["--data", join(directory, "own")];
  const elsewhere = {
    BLOB_SERVICE_ADDR: "grpc+http://127.0.0.1:1",
    TVIX_STORE_ADDR: "grpc+http://127.0.0.1:1",
  };
  expect(run(elsewhere, "castore", "ingest", file, ...own)).toMatchObject({ status: 0, stderr: "" });
  const both = await tvixStore("castore", "ingest", file, ...own, "--service-addr", address);
  expect([both.status, both.stderr]).toEqual([
    2,
    expect.stringContaining("cannot be used with option '--service-addr'"),
  ]);
});

test("where nobody listens, a line says what to do", async () => {
  const { status, stderr } = await tvixStore(
    "castore",
    "ls",
    "blake3-rxNJufX5oaagQE3qNtzJSZvLJcmtwRK3zJqTyuQfMmI=",
    "--service-addr",
    "grpc+http://127.0.0.1:1",
  );
  expect(status).toBe(1);
  expect(stderr).toMatch(/ECONNREFUSED 127\.0\.0\.1:1\n\(is a server running there\? .*--data.*\)\n$/);
});

test("an import has the name it is given, and messages name what was wrong", async () => {
  const directory = await temporaryDirectory();
  const tree = join(directory, "tree");
  await mkdir(tree);
  await writeFile(join(tree, "file"), "contents");
  const data = ["--data", join(directory, "data")];
  const named = await tvixStore("import", tree, "--name", "other-1.0", ...data);
  expect(named.stdout).toMatch(/^\/nix\/store\/[a-z0-9]{32}-other-1\.0\n$/);
  expect((await tvixStore("import", tree, tree, "--name", "x", ...data)).status).toBe(2);
  const digest = (await tvixStore("castore", "ingest", tree, ...data)).stdout.trim();
  expect((await tvixStore("castore", "cat", digest, ...data)).stderr).toContain("is a directory, not a file");
  const ingested = await tvixStore("nar", "ingest", tree, ...data);
  expect([ingested.status, ingested.stderr]).toEqual([1, `tvix-store: ${tree} is a directory\n`]);
  expect((await tvixStore("castore", "ls", "--help")).stdout).not.toContain("components");
});

test("an import that fails says which paths are stored before that", async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, "file"), "contents");
  const paths = ["file", "missing"].map((name) => join(directory, name));
  const ended = await tvixStore("import", ...paths, "--json", "--data", join(directory, "data"));
  expect(ended).toMatchObject({ status: 1, stderr: expect.stringContaining("missing") });
  const stored = expect.stringMatching(/^\/nix\/store\/[a-z0-9]{32}-file$/);
  expect(JSON.parse(ended.stdout)).toEqual([expect.objectContaining({ path: stored })]);
});

test("extents without records are wrong usage, and nothing is served from elsewhere", async () => {
  const data = join(await temporaryDirectory(), "data");
  const ended = await tvixStore("daemon", "--data", data, "--extents", "s3://bucket/prefix");
  expect(ended).toMatchObject({ status: 2, stderr: expect.stringContaining("--records") });
});
