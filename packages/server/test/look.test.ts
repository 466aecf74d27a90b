import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { startDaemon, tvixStore } from "./tvix-store.ts";

let folder: string;
let data: string;
let one: string;
let two: string;

/** Two store paths that share most of what is in them. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "look-"));
  data = join(folder, "data");
  for (const name of ["one", "two"]) {
    await mkdir(join(folder, name, "bin"), { recursive: true });
    await writeFile(join(folder, name, "bin", "hello"), "#!/bin/sh\n");
    await writeFile(join(folder, name, "shared"), "x".repeat(1000));
    await writeFile(join(folder, name, "large"), Buffer.concat([largeContents(), Buffer.from(name)]));
  }
  await writeFile(join(folder, "one", "only here"), "12345");
  await writeFile(join(folder, "two", "new"), "123456789");
  const imported = await tvixStore("import", join(folder, "one"), join(folder, "two"), "--data", data);
  [one, two] = imported.stdout.trim().split("\n") as [string, string];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Of some chunks, so that a change at the end leaves most of them. */
function largeContents(): Buffer {
  return Buffer.from(Array.from({ length: 600_000 }, (_, index) => (index * 7919) % 65_521).join(" "));
}

async function run(...args: string[]) {
  return await tvixStore(...args, "--data", data);
}

describe("looking into a store", () => {
  test("ls lists what is in a path, or at a place in it", async () => {
    expect((await run("ls", one)).stdout.split("\n").map((line) => line.slice(67))).toEqual(
      [" bin", " large", " only here", " shared", ""].map((line) => line.slice(1)),
    );
    expect(JSON.parse((await run("ls", one, "bin", "--json")).stdout)).toMatchObject([{ path: "bin/hello" }]);
    expect(await run("ls", one, "nope")).toMatchObject({
      status: 1,
      stderr: "tvix-store: there is no nope in it\n",
    });
  });

  test("find tells in which paths a name is", async () => {
    expect((await run("find", "hel*")).stdout.trim().split("\n").sort()).toEqual(
      [`${one}/bin/hello`, `${two}/bin/hello`].sort(),
    );
    expect((await run("find", "bin/h?llo", two)).stdout).toBe(`${two}/bin/hello\n`);
    expect((await run("find", "ello")).stdout).toBe("");
    expect(JSON.parse((await run("find", "new", "--json")).stdout)).toMatchObject({
      object: two,
      path: "new",
      size: 9,
    });
    await mkdir(join(folder, "names"));
    await writeFile(join(folder, "names", "hällo"), "");
    await tvixStore("import", join(folder, "names"), "--data", data);
    expect((await run("find", "h?llo")).stdout).toContain("/hällo\n");
    // What means something in an expression stands for itself.
    expect((await run("find", "hell.")).stdout).toBe("");
  });

  test("du tells what a path costs alone", async () => {
    const { objects, together } = JSON.parse((await run("du", one, two, "--json")).stdout);
    const large = largeContents().length + 3;
    const [a, b] = objects;
    expect(a).toEqual({ object: one, files: 4, bytes: 10 + 1000 + large + 5, alone: large + 5 });
    expect(b).toEqual({ object: two, files: 4, bytes: 10 + 1000 + large + 9, alone: large + 9 });
    expect(together).toBe(a.bytes + b.alone);
    const only = JSON.parse((await run("du", one, "--no-others", "--json")).stdout).objects[0];
    expect(only.alone).toBe(only.bytes);
    expect(JSON.parse((await run("du", one, "--json")).stdout).objects[0]).toEqual(a);
  });

  test("diff tells what differs, and how much of it is new", async () => {
    const { status, stdout } = await run("diff", one, two, "--json");
    expect(status).toBe(1);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ path, before, after }) => [path, before?.type, after?.type])).toEqual([
      ["large", "file", "file"],
      ["new", undefined, "file"],
      ["only here", "file", undefined],
    ]);
    expect(lines[0].newBytes).toBeGreaterThan(0);
    expect(lines[0].newBytes).toBeLessThan(600_000);
    expect(lines.slice(1).map(({ newBytes }) => newBytes)).toEqual([9, 0]);
    expect(await run("diff", one, one)).toEqual({ status: 0, stdout: "", stderr: "" });
    expect((await run("diff", one, two)).stdout).toMatch(/^~ .* large\n\+ +9 new\n- +0 only here\n$/);
  });
});

describe("why", () => {
  test("tells what the store and each cache said", async () => {
    vi.stubEnv("XDG_CONFIG_HOME", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    const daemon = await startDaemon(join(folder, "empty"));
    const signed = join(folder, "key");
    await writeFile(signed, (await tvixStore("keys", "generate", "why-1")).stdout);
    const other = await startDaemon(join(folder, "other"), "--signing-key-file", signed);
    await tvixStore("import", join(folder, "one"), ...other.options);
    const broken = createServer((_, response) => void response.writeHead(500).end("broken"));
    broken.listen(0, "127.0.0.1");
    await once(broken, "listening");
    onTestFinished(() => void broken.close());
    const brokenUrl = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`;
    const ask = async (...caches: string[]) => {
      const { status, stdout } = await run(
        "why",
        one,
        "--no-nix",
        "--json",
        ...caches.flatMap((url) => ["--cache", url]),
      );
      return [
        status,
        ...JSON.parse(stdout).map(
          ({ outcome, text }: { outcome: string; text: string }) => `${outcome}: ${text}`,
        ),
      ];
    };
    expect(await ask(daemon.url, other.url, brokenUrl)).toEqual([
      0,
      "usable: it is there as a whole, unsigned",
      "missing: no narinfo (404)",
      "usable: narinfo and NAR are there, signed by why-1",
      "failed: it answers 500 for the narinfo",
    ]);
    const none = await run("why", "/nix/store/00000000000000000000000000000000-x", "--no-nix");
    expect(none).toMatchObject({ status: 1, stdout: expect.stringContaining("it has no such path") });
    // A path that is named by its contents needs no signature; another one does.
    const hello = "/nix/store/00000000000000000000000000000000-signed";
    const narInfo = (await (await fetch(`${other.url}/${one.slice(11, 43)}.narinfo`)).text())
      .replace(/^StorePath: .*$/m, `StorePath: ${hello}`)
      .replace(/^CA: .*\n/m, "");
    const forged = createServer((_, response) => void response.end(narInfo));
    forged.listen(0, "127.0.0.1");
    await once(forged, "listening");
    onTestFinished(() => void forged.close());
    const url = `http://127.0.0.1:${(forged.address() as AddressInfo).port}`;
    expect(await tvixStore("why", hello, "--no-nix", "--cache", url, "--data", data)).toMatchObject({
      status: 1,
      stdout: expect.stringContaining("it is there, signed by why-1, and Nix trusts cache.nixos.org-1"),
    });
  });
});

test("a token is shown to its own server alone, wherever a narinfo leads", async () => {
  vi.stubEnv("XDG_CONFIG_HOME", join(folder, "config of why"));
  onTestFinished(() => void vi.unstubAllEnvs());
  const shown: string[] = [];
  const listening = async (answer: (path: string) => string) => {
    const server = createServer((request, response) => {
      shown.push(`${request.headers.host} ${request.url} ${request.headers.authorization ?? "nothing"}`);
      response.end(answer(request.url ?? ""));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const other = await listening(() => "");
  const narInfo = `StorePath: ${one}\nURL: http://${other}/x.nar\nCompression: none\nNarHash: sha256:${"0".repeat(52)}\nNarSize: 1\nReferences: \nCA: fixed:r:sha256:${"0".repeat(52)}\n`;
  const cache = await listening((path) => (path === "/nix-cache-info" ? "StoreDir: /nix/store\n" : narInfo));
  await writeFile(join(folder, "why-token"), "supersecret");
  expect(
    await tvixStore("login", `http://${cache}`, "--token-file", join(folder, "why-token")),
  ).toMatchObject({ status: 0 });
  shown.length = 0;
  await run("why", one, "--no-nix", "--cache", `http://${cache}`);
  expect(shown).toEqual([
    `${cache} /${one.slice(11, 43)}.narinfo Bearer supersecret`,
    `${other} /x.nar nothing`,
  ]);
});

describe("doctor", () => {
  const findings = async (...args: string[]) => {
    const { status, stdout } = await tvixStore("doctor", "--json", ...args);
    return {
      status,
      findings: JSON.parse(stdout) as { level: string; subject: string; text: string; advice?: string }[],
    };
  };

  test("finds nothing wrong with a server that runs, and says what to do about one that does not", async () => {
    vi.stubEnv("XDG_CONFIG_HOME", folder);
    onTestFinished(() => void vi.unstubAllEnvs());
    const place = join(folder, "doctored");
    const daemon = await startDaemon(place);
    const address = daemon.url.replace("http", "grpc+http");
    const well = await findings("--service-addr", address, "--data", place);
    expect(well.findings.filter(({ level }) => level === "problem")).toEqual([]);
    expect(well.findings).toContainEqual({ level: "ok", subject: "clock", text: "is that of the server" });
    expect(well.findings).toContainEqual(expect.objectContaining({ level: "note", text: "signs nothing" }));
    const down = await findings("--service-addr", "grpc+http://127.0.0.1:9", "--data", place);
    expect(down.status).toBe(1);
    expect(down.findings.at(-1)).toMatchObject({
      level: "problem",
      text: expect.stringContaining("does not answer"),
      advice: expect.stringContaining("tvix-store daemon"),
    });
  });

  test("tells of clocks that differ, of a token that is missing, and of what everybody may write", async () => {
    const place = join(folder, "open");
    await mkdir(place, { mode: 0o777 });
    execFileSync("chmod", ["777", place]);
    const server = createServer((request, response) => {
      response.setHeader("date", new Date(Date.now() - 3_600_000).toUTCString());
      if (request.url === "/readyz") response.end("server: ok\nstorage: no space\n");
      else response.writeHead(401).end("no");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { findings: found } = await findings("--service-addr", `grpc+${url}`, "--data", place);
    const problems = found.filter(({ level }) => level === "problem").map(({ text }) => text);
    expect(problems).toEqual([
      "everybody on this machine may write there",
      expect.stringMatching(/^differs from that of the server by 3[56]\d\d s$/),
      "storage: no space",
      "reading needs a token",
    ]);
  });
});

describe("what shells are told", () => {
  test("the manual page has every command, and no fault that groff finds", async () => {
    const { stdout } = await tvixStore("man");
    for (const command of ["daemon", "castore ingest", "push", "why", "token create"]) {
      expect(stdout).toContain(`\n.SS ${command.replaceAll("-", "\\-")}`);
    }
    const groff = spawnSync("groff", ["-man", "-Tutf8", "-ww", "-z"], { input: stdout, encoding: "utf8" });
    if (groff.error !== undefined) console.warn("not looked at by groff, which is not installed");
    else expect([groff.status, groff.stderr]).toEqual([0, ""]);
  });

  test("every command has examples, of options that it has", async () => {
    const plain = (text: string) => text.replaceAll("\\-", "-");
    const [, ...sections] = plain((await tvixStore("man")).stdout.split(/\n\.SH OPTIONS/)[0] ?? "").split(
      "\n.SS ",
    );
    expect(sections.length).toBeGreaterThan(35);
    for (const section of sections) {
      const name = section.split("\n")[0];
      const examples = /\n\.EX\n([\s\S]*?)\n\.EE/.exec(section)?.[1]?.split("\n") ?? [];
      expect([name, examples.length > 0]).toEqual([name, true]);
      for (const example of examples) {
        const [, words = ""] = /tvix-store (.*?)( [|<#] .*)?$/.exec(example) ?? [];
        expect(words.split(" ")[0]).toBe(section.split(/[ \n]/)[0]);
        const known = `${section.slice(0, section.indexOf("\n.EX"))} --service-addr`;
        for (const [option] of words.matchAll(/--[a-z-]+/g))
          expect([example, known.includes(option)]).toEqual([example, true]);
      }
    }
    const { stdout } = await tvixStore("castore", "ingest", "--help");
    expect(stdout).toMatch(/\nExamples:\n {2}tvix-store castore ingest \.\/tree\n/);
  });

  test("completion offers commands, options and choices, and files where nothing else is known", async () => {
    const offers = async (...words: string[]) =>
      (await tvixStore("complete", "--", ...words)).stdout
        .trim()
        .split("\n")
        .map((line) => line.split("\t")[0]);
    expect(await offers("cas")).toEqual(["castore", ":4"]);
    expect(await offers("castore", "re")).toEqual(["restore", ":4"]);
    expect(await offers("push", "--skip")).toEqual(["--skip-signed-by", ":4"]);
    expect(await offers("castore", "ingest", "--format", "")).toContain("tar");
    expect(await offers("castore", "ingest", "")).toEqual([":0"]);
    for (const shell of ["bash", "zsh", "fish"]) {
      expect(await tvixStore("completion", shell)).toMatchObject({
        status: 0,
        stdout: expect.stringContaining("tvix-store"),
      });
    }
    expect(await tvixStore("completion", "nosuch")).toMatchObject({ status: 2 });
    const checked = spawnSync("bash", ["-n"], {
      input: (await tvixStore("completion", "bash")).stdout,
      encoding: "utf8",
    });
    expect([checked.status, checked.stderr]).toEqual([0, ""]);
  });
});
