import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { openStore } from "@tvix/castore-packs";
import { MaintenanceService } from "@tvix/protocol/maintenance";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";

/** A file that occurs nowhere else. */
const SECRET = "the key under the mat: 4711\n".repeat(100);

/** A folder of two files, one of which is the secret. */
async function secretTree(): Promise<string> {
  const folder = await temporaryDirectory();
  await writeFile(join(folder, "secret"), SECRET);
  await writeFile(join(folder, "public"), "known to all\n");
  return folder;
}

async function publicTree(): Promise<string> {
  const folder = await temporaryDirectory();
  await writeFile(join(folder, "public"), "known to all\n");
  return folder;
}

/** Runs a command that succeeds; what it prints. */
async function succeeds(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await tvixStore(...args);
  expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
  return stdout.trim();
}

/** Whether some bytes lie in any file below a folder. */
async function occursIn(folder: string, bytes: string): Promise<boolean> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const name of names) {
    if (name.isFile() && (await readFile(join(name.parentPath, name.name))).includes(bytes)) return true;
  }
  return false;
}

describe("on a data directory", () => {
  test("gc removes what nothing keeps, pins keep, and a dry run changes nothing", {
    timeout: 60_000,
  }, async () => {
    const data = ["--data", await temporaryDirectory()];
    const path = await succeeds("import", await publicTree(), ...data);
    const digest = await succeeds("castore", "ingest", await secretTree(), ...data);
    await succeeds("pin", "mine/1", `directory:${digest}`, ...data);
    const none = await tvixStore("gc", "--dry-run", ...data);
    expect(none.stderr).toBe(
      "0 paths would go, and contents that nothing reaches: 0 directories, 0 long blobs, 0 chunks, 0.0 MiB\n",
    );
    expect(await succeeds("pins", ...data)).toBe(`mine/1 directory:${digest}`);
    await succeeds("unpin", "mine/1", ...data);
    const some = await tvixStore("gc", "--dry-run", "--json", ...data);
    expect(JSON.parse(some.stdout)).toMatchObject({ paths: 0, condemned: { directories: 1, chunks: 1 } });
    const first = await tvixStore("gc", ...data);
    expect(first.stderr).toMatch(/^0 paths went\ncondemned 1 directories.*\nwhat is condemned goes with/);
    await succeeds("castore", "ls", digest, ...data);
    const second = await tvixStore("gc", "--grace", "0s", "--json", ...data);
    expect(JSON.parse(second.stdout)).toMatchObject({ removed: { directories: 1, chunks: 1 } });
    expect((await tvixStore("castore", "ls", digest, ...data)).status).toBe(1);
    await succeeds("nar", "dump", path, ...data);
    const used = await tvixStore("gc", "--keep-unused", "0s", "--grace", "0s", ...data);
    expect(used.stdout).toBe(`${path} went: not used for longer than paths are kept\n`);
    expect(await succeeds("path-info", "list", ...data)).toBe("");
  });

  test("forget leaves nothing of a secret in any file", { timeout: 60_000 }, async () => {
    const data = await temporaryDirectory();
    const kept = await succeeds("import", await publicTree(), "--data", data);
    // As random bytes are stored: they do not compress.
    const secret = crypto.getRandomValues(new Uint8Array(30_000));
    const folder = await secretTree();
    await writeFile(join(folder, "key"), secret);
    const path = await succeeds("import", folder, "--data", data);
    const sample = Buffer.from(secret.subarray(10_000, 10_040)).toString("latin1");
    const isThere = async () => {
      const names = await readdir(data, { recursive: true, withFileTypes: true });
      const files = names.filter((name) => name.isFile());
      const contents = await Promise.all(
        files.map((name) => readFile(join(name.parentPath, name.name), "latin1")),
      );
      return contents.some((text) => text.includes(sample));
    };
    expect(await isThere()).toBe(true);
    expect(await succeeds("forget", path, "--data", data)).toBe(path);
    expect(await isThere()).toBe(false);
    expect(await occursIn(data, path.slice("/nix/store/".length))).toBe(false);
    await succeeds("nar", "dump", kept, "--data", data);
    const again = await tvixStore("forget", path, "--data", data);
    expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining("is not in the store") });
  });

  test("what is pinned is not forgotten, and mistakes are named", { timeout: 60_000 }, async () => {
    const data = ["--data", await temporaryDirectory()];
    const path = await succeeds("import", await publicTree(), ...data);
    await succeeds("pin", "release", path, ...data);
    const refused = await tvixStore("forget", path, ...data);
    expect(refused).toMatchObject({ status: 1, stderr: `tvix-store: ${path} is pinned as release\n` });
    expect((await tvixStore("pin", "two words", path, ...data)).stderr).toContain("names no pin");
    expect((await tvixStore("unpin", "nothing", ...data)).stderr).toContain('there is no pin "nothing"');
    const nowhere = "/nix/store/00000000000000000000000000000000-nowhere";
    expect((await tvixStore("pin", "x", nowhere, ...data)).stderr).toContain("is not in the store");
    const digest = "0".repeat(64);
    expect((await tvixStore("pin", "x", digest, ...data)).status).toBe(2);
    expect((await tvixStore("pin", "x", `directory:${digest}`, ...data)).stderr).toContain(
      "is not in the store",
    );
  });
});

describe("through a daemon", () => {
  async function withToken(...args: string[]) {
    const base = await temporaryDirectory();
    const tokens = new Map<string, string>();
    for (const scope of ["read", "write", "admin"]) {
      const file = join(base, `${scope}.token`);
      const created = ["token", "create", "--scope", scope, "--token-file", join(base, "tokens.json")];
      await writeFile(file, await succeeds(...created));
      tokens.set(scope, file);
    }
    const daemon = await startDaemon(join(base, "data"), "--token-file", join(base, "tokens.json"), ...args);
    const as = (scope: string) => [
      "--service-addr",
      `grpc+${daemon.url}`,
      "--bearer-token-file",
      tokens.get(scope) ?? "",
    ];
    return { daemon, as, tokens, base };
  }

  test("admins do the same, and a path that is forgotten is told of no more", {
    timeout: 60_000,
  }, async () => {
    const { daemon, as } = await withToken();
    const path = await succeeds("import", await secretTree(), ...as("write"));
    const digest = await succeeds("castore", "ingest", await publicTree(), ...as("write"));
    const narinfo = `${daemon.url}/${path.slice(11, 43)}.narinfo`;
    expect((await fetch(narinfo)).status).toBe(200);
    await succeeds("pin", "mine", path, ...as("admin"));
    await succeeds("pin", "tree", `directory:${digest}`, ...as("admin"));
    expect(await succeeds("pins", ...as("read"))).toBe(`mine ${path}\ntree directory:${digest}`);
    for (const scope of ["read", "write"]) {
      for (const command of [["gc"], ["forget", path], ["unpin", "mine"], ["pin", "x", path]]) {
        const { status, stderr } = await tvixStore(...command, ...as(scope));
        expect({ command, status, stderr }).toMatchObject({
          status: 1,
          stderr: expect.stringContaining("admin"),
        });
      }
    }
    expect((await tvixStore("forget", path, ...as("admin"))).stderr).toContain("is pinned as mine");
    await succeeds("unpin", "mine", ...as("admin"));
    expect(await succeeds("forget", path, ...as("admin"))).toBe(path);
    expect((await fetch(narinfo)).status).toBe(404);
    await succeeds("unpin", "tree", ...as("admin"));
    const gc = await tvixStore("gc", "--json", "--grace", "0s", ...as("admin"));
    expect(JSON.parse(gc.stdout)).toMatchObject({ removed: { directories: 1, chunks: 1 } });
    const kept = await succeeds("import", await publicTree(), ...as("write"));
    const gone = await tvixStore("gc", "--keep-unused", "0s", "--grace", "0s", ...as("admin"));
    expect(gone.stdout).toContain(`${kept} went`);
    expect((await fetch(`${daemon.url}/${kept.slice(11, 43)}.narinfo`)).status).toBe(404);
  });

  test("every protocol asks for the scope", { timeout: 60_000 }, async () => {
    const { daemon, tokens } = await withToken();
    const grpc = createGrpcTransport({ url: daemon.url }, { reconnectMs: 0 });
    onTestFinished(() => grpc.close());
    const transports: Readonly<Record<string, Transport>> = {
      gRPC: grpc,
      "gRPC-Web": createGrpcWebTransport({ baseUrl: daemon.url, httpVersion: "1.1" }),
      Connect: createConnectTransport({ baseUrl: daemon.url, httpVersion: "1.1", useBinaryFormat: false }),
      "Connect over HTTP/2": createConnectTransport({ baseUrl: daemon.url, httpVersion: "2" }),
    };
    const path = "/nix/store/00000000000000000000000000000000-x";
    for (const [name, transport] of Object.entries(transports)) {
      const client = createClient(MaintenanceService, transport);
      for (const [scope, expected] of [
        [undefined, Code.Unauthenticated],
        ["read", Code.PermissionDenied],
        ["write", Code.PermissionDenied],
      ] as const) {
        const token = scope && (await readFile(tokens.get(scope) ?? "", "utf8")).trim();
        const options = token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } };
        for (const call of [
          () => Array.fromAsync(client.collect({}, options)),
          () => client.forget({ storePath: path }, options),
          () => client.setPin({ pin: { name: "x", target: { case: "storePath", value: path } } }, options),
          () => client.removePin({ name: "x" }, options),
        ]) {
          const error = await call().then(
            () => undefined,
            (reason) => ConnectError.from(reason).code,
          );
          expect({ name, scope, error }).toEqual({ name, scope, error: expected });
        }
      }
      const admin = (await readFile(tokens.get("admin") ?? "", "utf8")).trim();
      const options = { headers: { authorization: `Bearer ${admin}` } };
      const events = await Array.fromAsync(client.collect({ dryRun: true }, options));
      expect(events.map(({ event }) => event.case)).toEqual(["done"]);
      const invalid = client.setPin(
        { pin: { name: "a b", target: { case: "storePath", value: path } } },
        options,
      );
      await expect(invalid).rejects.toMatchObject({ code: Code.InvalidArgument });
      await expect(client.setPin({}, options)).rejects.toMatchObject({ code: Code.InvalidArgument });
      await expect(client.forget({ storePath: "/etc" }, options)).rejects.toMatchObject({
        code: Code.InvalidArgument,
      });
    }
  });

  test("it takes up a collection that was interrupted", { timeout: 60_000 }, async () => {
    const data = await temporaryDirectory();
    const digest = await succeeds("castore", "ingest", await publicTree(), "--data", data);
    await succeeds("gc", "--data", data);
    {
      await using store = await openStore(data, { create: false });
      for await (const [key, value] of store.database.entries({ prefix: Buffer.from("m1collection") })) {
        // As a process leaves it that ends in its second look.
        await store.database.write([{ type: "put", key, value: Buffer.from([3, ...value.subarray(1)]) }]);
      }
    }
    const daemon = await startDaemon(data);
    const address = ["--service-addr", `grpc+${daemon.url}`];
    await expect
      .poll(async () => (await tvixStore("castore", "ls", digest, ...address)).status, { timeout: 20_000 })
      .toBe(1);
  });

  test("it collects by itself, and ends in the middle of that", { timeout: 60_000 }, async () => {
    const { daemon, as } = await withToken("--gc-interval", "1s", "--gc-grace", "0s");
    const digest = await succeeds("castore", "ingest", await publicTree(), ...as("write"));
    await expect
      .poll(async () => (await tvixStore("castore", "ls", digest, ...as("read"))).status, {
        timeout: 20_000,
        interval: 500,
      })
      .toBe(1);
    expect(daemon.log()).toContain("collected garbage");
  });
});
