import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import type { Node } from "@tvix/castore";
import { fingerprint, formatNarInfo, SecretKey } from "@tvix/narinfo";
import { buildContentAddressedPath, encodeNixbase32, StorePath } from "@tvix/nix-compat";
import { createToken, KnownTokens, type Scope, TokenAuthenticator, TokenFile } from "@tvix/server";
import { type PathInfo, renderNar, toNarInfo } from "@tvix/store";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { doorsOf, everyDoor, type Outcome } from "./each-protocol.ts";
import { wholeServer } from "./whole-server.ts";

type Server = Awaited<ReturnType<typeof wholeServer>>;

/** A path of contents that are here. */
async function pathOf({ services }: Server, contents: string, name = "path"): Promise<PathInfo> {
  const bytes = new TextEncoder().encode(contents);
  const digest = await services.blobService.put(bytes).catch(() => undefined);
  if (digest === undefined) throw new Error("contents cannot be put");
  const node: Node = { type: "file", digest, size: BigInt(bytes.length), executable: false };
  const { narHash, narSize } = await services.narCalculationService.calculateNar(node);
  return {
    storePath: StorePath.from(narHash.digest.subarray(0, 20), name),
    node,
    references: [],
    narHash,
    narSize,
    signatures: [],
    deriver: undefined,
    contentAddress: undefined,
  };
}

function signed(info: PathInfo, key: SecretKey): PathInfo {
  return { ...info, signatures: [...info.signatures, key.sign(fingerprint(info))] };
}

/** Uploads a path as Nix does. */
async function upload(url: string, { services }: Server, info: PathInfo, token?: string): Promise<Outcome> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const nar = await collect(renderNar(info.node, services), 1 << 20);
  const { narHash } = await services.narCalculationService.calculateNar(info.node);
  const file = `nar/${encodeNixbase32(narHash.digest)}.nar`;
  await fetch(`${url}/${file}`, { method: "PUT", body: nar as BodyInit, headers });
  const response = await fetch(`${url}/${info.storePath.digestText()}.narinfo`, {
    method: "PUT",
    body: formatNarInfo(toNarInfo(info, file)),
    headers,
  });
  const text = await response.text();
  if (response.status === 200) return "ok";
  return response.status === 403
    ? "denied"
    : response.status === 409
      ? "exists"
      : `other: ${response.status} ${text}`;
}

/** What every door answers to a path info, the upload of its NAR and narinfo among them. */
async function putEverywhere(server: Server, info: PathInfo, token?: string) {
  const { url } = server;
  const doors = {
    ...doorsOf(url, token),
    upload: { putPathInfo: (it: PathInfo) => upload(url, server, it, token) },
  };
  return await everyDoor(doors as never, (door) => door.putPathInfo?.(info));
}

describe("where a signature by a trusted key is required", () => {
  const [trusted, other] = [SecretKey.generate("trusted-1"), SecretKey.generate("other-1")];
  const guard = { unsigned: "require", trustedKeys: [trusted.publicKey] } as const;

  test("a path that has one is taken at every door", async () => {
    const server = await wholeServer({ guard });
    const info = signed(await pathOf(server, "contents"), trusted);
    expect(await putEverywhere(server, info)).toBe("ok");
    expect(await server.services.pathInfoService.get(info.storePath.digest)).toEqual(info);
  });

  test("one that is named by its contents needs none", async () => {
    const server = await wholeServer({ guard });
    const info = await pathOf(server, "contents");
    const contentAddress = { method: "nar", hash: info.narHash } as const;
    const storePath = buildContentAddressedPath("path", contentAddress);
    expect(await putEverywhere(server, { ...info, storePath, contentAddress })).toBe("ok");
    const stranger = await pathOf(server, "other contents");
    const forged = { ...stranger, storePath, contentAddress };
    // Over HTTP contents of another hash are another NAR, of which the narinfo does not tell.
    expect(await everyDoor(doorsOf(server.url), (door) => door.putPathInfo?.(forged))).toMatch(
      /^other: .*CA|contents/,
    );
    expect((await server.services.pathInfoService.get(storePath.digest))?.node).toEqual(info.node);
  });

  test("a forged one is refused at every door, and nothing of it is told", async () => {
    const server = await wholeServer({ guard });
    const info = await pathOf(server, "contents");
    for (const forged of [
      info,
      signed(info, other),
      { ...signed(info, trusted), references: [info.storePath] },
    ]) {
      expect(await putEverywhere(server, forged)).toBe("denied");
    }
    // The signature is over the NAR: contents of others would pass under it.
    const borrowed = { ...signed(info, trusted), node: (await pathOf(server, "evil contents")).node };
    const answer = await everyDoor(doorsOf(server.url), (door) => door.putPathInfo?.(borrowed));
    expect(answer).toMatch(/^other: .*make the NAR/);
    const longer = signed({ ...info, narSize: info.narSize + 1 }, trusted);
    expect(await everyDoor(doorsOf(server.url), (door) => door.putPathInfo?.(longer))).toMatch(
      /^other: .*bytes/,
    );
    expect(await Array.fromAsync(server.services.pathInfoService.list())).toEqual([]);
    expect((await fetch(`${server.url}/${info.storePath.digestText()}.narinfo`)).status).toBe(404);
  });
});

describe("who may only add", () => {
  async function tokens(...wanted: [Scope, string?][]) {
    const file = new TokenFile(join(await temporaryDirectory(), "tokens.json"));
    const texts: string[] = [];
    for (const [scope, prefix] of wanted) {
      const { text, record } = createToken({ name: "test", scope, prefix, expires: undefined });
      await file.change((records) => [...records, record]);
      texts.push(text);
    }
    const authenticators = [new TokenAuthenticator(new KnownTokens(file, () => {}))];
    return { texts, access: { authenticators } };
  }

  test("puts no other path info in the place of one, at no door; who may replace does", async () => {
    const { texts, access } = await tokens(["write"], ["admin"]);
    const [write, admin] = texts as [string, string];
    const server = await wholeServer({ access });
    const info = await pathOf(server, "contents");
    expect(await putEverywhere(server, info, write)).toBe("ok");
    const { storePath } = info;
    const changed = { ...(await pathOf(server, "other contents")), storePath };
    const moreReferences = { ...info, references: [storePath] };
    for (const forged of [changed, moreReferences]) {
      expect(await putEverywhere(server, forged, write)).toBe("exists");
    }
    expect(await server.services.pathInfoService.get(storePath.digest)).toEqual(info);
    expect(await putEverywhere(server, changed, admin)).toBe("ok");
    expect(await server.services.pathInfoService.get(storePath.digest)).toEqual(changed);
  });

  test("adds signatures, however many do so at once, and nothing else", async () => {
    const server = await wholeServer();
    const info = await pathOf(server, "contents");
    const keys = Array.from({ length: 20 }, (_, index) => SecretKey.generate(`key-${index}`));
    const evil = { ...(await pathOf(server, "evil contents")).node };
    const doors = Object.values(doorsOf(server.url)).filter(({ putPathInfo }) => putPathInfo !== undefined);
    await doors[0]?.putPathInfo?.(info);
    await Promise.all(
      keys.map((key, index) =>
        doors[index % doors.length]?.putPathInfo?.({ ...signed(info, key), node: evil }),
      ),
    );
    const stored = await server.services.pathInfoService.get(info.storePath.digest);
    expect(stored?.node).toEqual(info.node);
    expect(stored?.signatures.map(({ name }) => name).sort()).toEqual(keys.map(({ name }) => name).sort());
  });

  test("and has a prefix tells of no other paths", async () => {
    const { texts, access } = await tokens(["write", "hello-"], ["admin", "hello-"]);
    const server = await wholeServer({ access });
    for (const token of texts) {
      expect(await putEverywhere(server, await pathOf(server, "contents", "hello-1.0"), token)).toBe("ok");
      expect(await putEverywhere(server, await pathOf(server, "other", "evil-1.0"), token)).toBe("denied");
    }
  });

  test("takes nothing where nothing is taken", async () => {
    const server = await wholeServer({ guard: { writable: false }, writable: false });
    expect(await everyDoor(doorsOf(server.url), (door) => door.write())).toBe("denied");
  });
});

describe("a path of the same digest and another name", () => {
  test("is another one at every door, and adds nothing to what is here", async () => {
    const server = await wholeServer();
    const info = await pathOf(server, "contents", "secret-tool");
    expect(await putEverywhere(server, info)).toBe("ok");
    const storePath = StorePath.from(info.storePath.digest, "hello-tool");
    const evil = signed({ ...info, storePath }, SecretKey.generate("evil-1"));
    expect(await putEverywhere(server, evil)).toBe("exists");
    expect(await server.services.pathInfoService.get(info.storePath.digest)).toEqual(info);
  });

  test("is no way around the prefix of a token", async () => {
    const file = new TokenFile(join(await temporaryDirectory(), "tokens.json"));
    const make = async (scope: Scope, prefix: string | undefined) => {
      const { text, record } = createToken({ name: "test", scope, prefix, expires: undefined });
      await file.change((records) => [...records, record]);
      return text;
    };
    const [writer, prefixed] = [await make("write", undefined), await make("admin", "hello-")];
    const authenticators = [new TokenAuthenticator(new KnownTokens(file, () => {}))];
    const server = await wholeServer({ access: { authenticators } });
    const info = await pathOf(server, "contents", "secret-tool");
    expect(await putEverywhere(server, info, writer)).toBe("ok");
    const storePath = StorePath.from(info.storePath.digest, "hello-tool");
    expect(await putEverywhere(server, { ...info, storePath }, prefixed)).toBe("denied");
    expect(await server.services.pathInfoService.get(info.storePath.digest)).toEqual(info);
  });
});

test("of more signatures than are kept none is acknowledged that is not", async () => {
  const server = await wholeServer();
  const info = await pathOf(server, "contents");
  const keys = Array.from({ length: 100 }, (_, index) => SecretKey.generate(`key-${index}`));
  const full = keys.reduce(signed, info);
  expect(await putEverywhere(server, full)).toBe("ok");
  expect(await putEverywhere(server, full)).toBe("ok");
  expect(await putEverywhere(server, signed(info, SecretKey.generate("one-more")))).toBe("exists");
});

test("files beside NARs are replaced by nobody who may only add, and logs of others are not for a prefix", async () => {
  const file = new TokenFile(join(await temporaryDirectory(), "tokens.json"));
  const make = async (scope: Scope, prefix: string | undefined) => {
    const { text, record } = createToken({ name: "test", scope, prefix, expires: undefined });
    await file.change((records) => [...records, record]);
    return { authorization: `Bearer ${text}` };
  };
  const [writer, prefixed, admin] = [
    await make("write", undefined),
    await make("write", "hello-"),
    await make("admin", undefined),
  ];
  const authenticators = [new TokenAuthenticator(new KnownTokens(file, () => {}))];
  const { url } = await wholeServer({ access: { authenticators } });
  const digits = "0".repeat(32);
  const paths = [
    `log/${digits}-secret.drv`,
    `realisations/sha256:${"0".repeat(64)}!out.doi`,
    `build-trace-v2/${digits}-x.drv/out.doi`,
    "debuginfo/0123456789",
    `${digits}.ls`,
  ];
  for (const path of paths) {
    const put = async (headers: Record<string, string>, body: string) =>
      (await fetch(`${url}/${path}`, { method: "PUT", headers, body })).status;
    const text = async () => await (await fetch(`${url}/${path}`)).text();
    expect(await put(writer, "one")).toBe(200);
    expect(await put(writer, "one")).toBe(200);
    expect(await put(writer, "two")).toBe(409);
    expect(await put(prefixed, "two")).toBe(path.startsWith("log") ? 403 : 409);
    expect(await text()).toBe("one");
    expect(await put(admin, "two")).toBe(200);
    expect(await text()).toBe("two");
  }
});
