import { readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { settingOf, withCacheLines, withoutCacheLines } from "../src/cli/nix-conf.ts";
import { changeText } from "../src/cli/user-files.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";

test("the lines of a cache are written once, found again, and taken out, with everything else as it was", () => {
  const before = "cores = 4\n# mine";
  const once = withCacheLines(before, "https://a", ["extra-substituters = https://a"]);
  expect(withCacheLines(once, "https://a", ["extra-substituters = https://a"])).toBe(once);
  const both = withCacheLines(once, "https://b", ["extra-substituters = https://b"]);
  expect(settingOf(both, "substituters")).toEqual(["https://a", "https://b"]);
  expect(withoutCacheLines(both, "https://b")).toBe(once);
  expect(withoutCacheLines(once, "https://a")).toBe(`${before}\n`);
  expect(withoutCacheLines(before, "https://a")).toBe(before);
  // One whose end was lost takes nothing with it.
  const broken = `${once.split("\n").slice(0, 3).join("\n")}\nmine = important\n`;
  expect(withoutCacheLines(withCacheLines(broken, "https://a", ["x = y"]), "https://a")).toContain(
    "mine = important",
  );
  expect(
    settingOf("substituters = a b # c\nextra-substituters = d\nsubstituters = e", "substituters"),
  ).toEqual(["e"]);
});

test("a token is kept by login, shown by the other commands and by Nix, and forgotten by logout", async () => {
  const config = await temporaryDirectory();
  vi.stubEnv("XDG_CONFIG_HOME", config);
  onTestFinished(() => void vi.unstubAllEnvs());
  const data = join(config, "data");
  const { stdout: token } = await tvixStore("token", "create", "--scope", "read", "--data", data, "me");
  await writeFile(join(config, "token"), token);
  const daemon = await startDaemon(data, "--reads", "token");
  const list = () =>
    tvixStore("path-info", "list", "--service-addr", daemon.url.replace("http", "grpc+http"));
  expect(await list()).toMatchObject({ status: 1, stderr: expect.stringContaining("token") });
  await writeFile(join(config, "wrong"), "tvix_wrong");
  expect(await tvixStore("login", daemon.url, "--token-file", join(config, "wrong"))).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("the token is not known here"),
  });
  expect(await tvixStore("login", daemon.url, "--token-file", join(config, "token"))).toMatchObject({
    status: 0,
  });
  const netrc = join(config, "tvix-store", "netrc");
  expect((await stat(netrc)).mode & 0o777).toBe(0o600);
  expect(await list()).toMatchObject({ status: 0 });
  const conf = join(config, "nix", "nix.conf");
  expect((await tvixStore("use", daemon.url)).stdout).toContain(`netrc-file = ${netrc}\n`);
  expect(await tvixStore("use", daemon.url, "--write")).toMatchObject({ status: 0 });
  expect(settingOf(await readFile(conf, "utf8"), "substituters")).toEqual([daemon.url]);
  expect(await tvixStore("logout", daemon.url)).toMatchObject({ status: 0 });
  expect(await list()).toMatchObject({ status: 1 });
  expect(await tvixStore("logout", daemon.url)).toMatchObject({ status: 1 });
});

test("many commands at once leave what each has written; one that was cut off is told of", async () => {
  const config = await temporaryDirectory();
  vi.stubEnv("XDG_CONFIG_HOME", config);
  onTestFinished(() => void vi.unstubAllEnvs());
  const file = join(config, "tvix-store", "netrc");
  const add = (number: number) => changeText(file, (text) => `${text}${number}\n`, 0o600);
  expect(await Promise.all(Array.from({ length: 20 }, (_, number) => add(number)))).not.toContain(false);
  const lines = (await readFile(file, "utf8")).trim().split("\n").map(Number);
  expect(lines.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, number) => number));
  expect(await changeText(file, (text) => text, 0o600)).toBe(false);
  expect(await readdir(join(config, "tvix-store"))).toEqual(["netrc"]);
  // Nothing is written where nothing changes: others may own the folder.
  await writeFile(`${file}.lock`, "");
  expect(await changeText(file, (text) => text, 0o600)).toBe(false);
  await expect(add(1)).rejects.toThrow(`${file}.lock is there: another command is at it`);
});

test("use, login and logout print objects", async () => {
  const config = await temporaryDirectory();
  vi.stubEnv("XDG_CONFIG_HOME", config);
  onTestFinished(() => void vi.unstubAllEnvs());
  const data = join(config, "data");
  const { stdout: token } = await tvixStore("token", "create", "--scope", "read", "--data", data, "me");
  await writeFile(join(config, "token"), token);
  const { url } = await startDaemon(data);
  const object = async (...args: string[]) => JSON.parse((await tvixStore(...args, "--json")).stdout);
  const netrc = join(config, "tvix-store", "netrc");
  expect(await object("login", url, "--token-file", join(config, "token"))).toEqual({ url, file: netrc });
  const lines = [`extra-substituters = ${url}`, `netrc-file = ${netrc}`];
  const file = join(config, "nix", "nix.conf");
  expect(await object("use", url)).toEqual({ file, lines, changed: false });
  expect(await object("use", url, "--write")).toEqual({ file, lines, changed: true });
  expect(await object("use", url, "--write")).toEqual({ file, lines, changed: false });
  expect(await object("use", url, "--undo")).toEqual({ file, lines: [], changed: true });
  expect(await object("logout", url)).toEqual({ url, file: netrc });
});

test("a file of settings keeps its permissions, and one that somebody else makes is not replaced", async () => {
  const folder = await temporaryDirectory();
  const daemon = await startDaemon(join(folder, "data"));
  const conf = join(folder, "nix.conf");
  await writeFile(conf, "access-tokens = secret\n", { mode: 0o600 });
  expect(await tvixStore("use", daemon.url, "--write", "--nix-conf", conf)).toMatchObject({ status: 0 });
  expect((await stat(conf)).mode & 0o777).toBe(0o600);
  expect(await readFile(conf, "utf8")).toContain("access-tokens = secret\n");
  const link = join(folder, "link.conf");
  await symlink(conf, link);
  const text = await readFile(conf, "utf8");
  expect(await tvixStore("use", daemon.url, "--undo", "--nix-conf", link)).toMatchObject({
    status: 1,
    stderr: `tvix-store: ${link} is a link to ${conf}: change it where that comes from\n`,
  });
  expect(await readFile(conf, "utf8")).toBe(text);
});

test("what is no binary cache is told to be none", async () => {
  const server = createServer((_, response) => void response.end("hello"));
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await tvixStore("use", url)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("is no binary cache of Nix: invalid line"),
  });
  expect(await tvixStore("use", "https://user:secret@x")).toMatchObject({ status: 2, stdout: "" });
  expect(await tvixStore("use", "http://127.0.0.1:1")).toMatchObject({
    status: 1,
    stderr: expect.stringContaining("cannot be reached"),
  });
});
