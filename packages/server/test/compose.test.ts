import { join } from "node:path";
import { openStore } from "@tvix/castore-packs";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { compositionOf } from "../src/compose/composition.ts";
import { connectPeer } from "../src/compose/connect-peer.ts";
import { describeComposition } from "../src/compose/describe-composition.ts";
import type { CompositionEnvironment } from "../src/compose/environment.ts";
import { inFrontOf } from "../src/compose/in-front-of.ts";
import { openComposition } from "../src/compose/open-composition.ts";
import { readComposition } from "../src/compose/read-composition.ts";
import { entryOfAddress } from "../src/compose/registry.ts";
import type { ServiceKind } from "../src/compose/service-kind.ts";

const ENVIRONMENT: CompositionEnvironment = {
  openStore: (path) => openStore(path, { sync: false }),
  connect: (peer) => connectPeer(peer, { maxMessageBytes: 32 << 20, connectTimeoutMs: 5000 }),
};

const KINDS = ["blob", "directory", "path-info"] as const;
const memoryOf = <K extends ServiceKind>(kind: K) => entryOfAddress(kind, "memory://");

/** Opens a store of which one service has an address, and the others are in memory. */
async function open(kind: ServiceKind, address: string): Promise<void> {
  const roots = {
    blob: memoryOf("blob"),
    directory: memoryOf("directory"),
    "path-info": memoryOf("path-info"),
  };
  const composition = compositionOf({ ...roots, [kind]: entryOfAddress(kind, address) });
  await using _ = await openComposition(composition, ENVIRONMENT);
}

describe.each(KINDS)("addresses of %s services", (kind) => {
  test.each([
    "memory://",
    "grpc+unix:///path/to/somewhere",
    "grpc+http://[::1]:12345",
    "grpc+http://localhost",
    "grpc+https://localhost",
    "grpc+unix:///path/to/somewhere?wait-connect=0",
    "grpc+http://localhost?wait-connect=0",
    "cache://?near=memory://&far=memory://",
    "cache://?near=memory%3A%2F%2F&far=grpc%2Bhttp%3A%2F%2Flocalhost%3Fwait-connect%3D0&writes=near",
  ])("%s is opened", async (address) => {
    await open(kind, address);
  });

  test.each([
    ["http://foo.example/test", "Unknown type: http"],
    ["no address", "unable to parse url"],
    ["memory://foo", 'host may not be set, and it is "foo"'],
    ["memory:///", 'path may not be set, and it is "/"'],
    ["memory:///foo", 'path may not be set, and it is "/foo"'],
    ["memory://?size=3", 'there is no parameter "size"'],
    ["grpc+unix://host.example/path/to/somewhere", "host may not be set"],
    ["grpc+unix:///", "the path of the socket is missing"],
    ["grpc+unix:///%ct", "a % in the path"],
    ["level:///a%2", "a % in the path"],
    [`postgres://host/db?extents=${encodeURIComponent("s3://bucket/%")}`, "a % in the prefix"],
    ["grpc+http://localhost/some-path", "path may not be set"],
    ["grpc+ftp://localhost", "ftp is not supported"],
    ["grpc+http://localhost?wait-connect=2", "wait-connect is 0 or 1"],
    ["grpc+http://localhost?wait-conect=1", 'there is no parameter "wait-conect"'],
    ["grpc+unix:///path/to/somewhere?wait-connect=1", "ENOENT"],
    ["grpc+http://nonexist.invalid?wait-connect=1", "nonexist.invalid"],
    ["level://", "the path of the data directory is missing"],
    ["level:///", "is not /"],
    ["level://host/tmp/x", 'host may not be set, and it is "host"'],
    ["cache://?near=memory://", "the parameter far is missing"],
    ["cache://?near=memory://&far=memory://x", "host may not be set"],
    ["cache://?near=memory://&far=memory://&writes=both", '"near" or "far"'],
    ["redb:///tmp/foo", "Unknown type: redb; tvix-store has it"],
    ["objectstore+s3://bucket/path", "Unknown type: objectstore"],
  ])("%s is refused: %s", async (address, why) => {
    await expect(open(kind, address)).rejects.toThrow(why);
  });

  test("a data directory is opened, and closed again", async () => {
    const path = join(await temporaryDirectory(), "a b");
    for (let time = 0; time < 2; time++) await open(kind, `level://${path.replace(" ", "%20")}`);
  });
});

const KEY = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

describe("addresses of binary caches", () => {
  test.each([
    "nix+https://cache.nixos.org",
    "nix+http://cache.nixos.org",
    "nix+http://192.0.2.1/foo",
    "nix+http://[::1]:8080/foo",
    `nix+https://cache.nixos.org?trusted-public-keys=${KEY}`,
    `nix+https://cache.nixos.org?trusted-public-keys=${KEY}%20${KEY.replace("-1", "-2")}`,
    `nix+https://cache.nixos.org?trusted-public-keys=${KEY}&trusted-public-keys=${KEY.replace("-1", "-2")}`,
    "nix+https://cache.nixos.org?blob_service=root&directory_service=root",
    "nix+https://cache.nixos.org?blob_service=memory://",
  ])("%s is opened", async (address) => {
    await open("path-info", address);
  });

  test.each([
    ["nix+ftp://cache.nixos.org", "is no upstream"],
    ["nix+https://cache.nixos.org?trusted-public-keys=nonsense", "key"],
    ["nix+https://cache.nixos.org?blob_service=other", 'there is no blob service "other"'],
    ["nix+https://cache.nixos.org?directory_service=", "expected a text"],
  ])("%s is refused: %s", async (address, why) => {
    await expect(open("path-info", address)).rejects.toThrow(why);
  });

  test("no password of a server is told", async () => {
    for (const address of ["grpc+http://me:secret@localhost", "grpc+http://me:se/cret@localhost/path"]) {
      await expect(open("blob", address)).rejects.toThrow("//…@");
      await expect(open("blob", address)).rejects.not.toThrow(/se\/?cret/);
    }
  });

  test("they have path infos only, and no password is told", async () => {
    for (const kind of ["blob", "directory"] as const) {
      await expect(open(kind, "nix+https://me:secret@cache.nixos.org")).rejects.toThrow("Unknown type: nix");
      await expect(open(kind, "nix+https://me:secret@cache.nixos.org")).rejects.not.toThrow("secret");
    }
  });
});

const table = (text: string) => readComposition(text);
const PEERS = `
[blobservices.root]
type = "combined"
near = "near"
far = "far"
[blobservices.near]
type = "memory"
[blobservices.far]
type = "grpc"
url = "grpc+http://[::1]:8000"
[directoryservices.root]
type = "grpc"
url = "grpc+http://localhost:8000"
[pathinfoservices.root]
type = "cache"
near = "near"
far = "far"
[pathinfoservices.near]
type = "lru"
capacity = 1000
[pathinfoservices.far]
type = "grpc"
url = "grpc+http://localhost:8000"
`;

describe("compositions of the reference", () => {
  test("peers behind what is near", async () => {
    const { composition, mistakes } = table(PEERS);
    expect(mistakes).toBeUndefined();
    if (composition === undefined) return;
    expect(describeComposition(composition)).toBe(
      [
        'blob: combined "root"',
        '  near: memory "near"',
        '  far: grpc "far" url=grpc+http://[::1]:8000',
        'directory: grpc "root" url=grpc+http://localhost:8000',
        'path-info: cache "root"',
        '  near: lru "near" capacity=1000',
        '  far: grpc "far" url=grpc+http://localhost:8000',
        "",
      ].join("\n"),
    );
    await using _ = await openComposition(composition, ENVIRONMENT);
  });

  test("tvix-store's names: default, local, remote", async () => {
    const { composition } = table(
      PEERS.replace("near = ", "local = ")
        .replace("far = ", "remote = ")
        .replaceAll("services.root", "services.default"),
    );
    expect(composition?.root).toBe("default");
    expect([...(composition?.entries.blob.get("default")?.parts.keys() ?? [])]).toEqual(["near", "far"]);
  });

  test("a mirror of a binary cache", async () => {
    const { composition } = table(`
      [blobservices.root]
      type = "memory"
      [directoryservices.root]
      type = "memory"
      [pathinfoservices.root]
      type = "cache"
      near = "near"
      far = "cache-nixos-org"
      [pathinfoservices.near]
      type = "memory"
      [pathinfoservices.cache-nixos-org]
      type = "nix"
      base_url = "https://cache.nixos.org"
      public_keys = ["${KEY}"]
      blob_service = "root"
      directory_service = "root"`);
    expect(composition && describeComposition(composition)).toContain(
      '  far: nix "cache-nixos-org" cache=https://cache.nixos.org/',
    );
    if (composition === undefined) return;
    await using _ = await openComposition(composition, ENVIRONMENT);
  });

  test("addresses in the place of names are services of their own", async () => {
    const { composition } = table(
      PEERS.replace('near = "near"', 'near = "memory://"').replace(
        '[blobservices.near]\ntype = "memory"',
        "",
      ),
    );
    expect(composition && describeComposition(composition)).toContain("  near: memory\n");
  });

  test.each<[what: string, change: (text: string) => string, mistake: string]>([
    ["no TOML", (text) => `${text}\n[`, "25:2"],
    [
      "a table that is none",
      (text) => `${text}[blobservice.x]\ntype = "memory"`,
      '"blobservice.x.type" is in none',
    ],
    [
      "a missing table",
      (text) => text.replace("directoryservices.root", "blobservices.other"),
      "[directoryservices.root]",
    ],
    ["no root", (text) => text.replaceAll("services.root", "services.main"), "root or default"],
    [
      "a type that there is none of",
      (text) => text.replace('"lru"', '"lfu"'),
      "19:1: pathinfoservices.near: Unknown type: lfu",
    ],
    [
      "a missing key",
      (text) => text.replace("capacity = 1000", ""),
      "19:1: pathinfoservices.near: capacity is missing",
    ],
    [
      "an unknown key",
      (text) => text.replace("capacity", "size"),
      '20:1: pathinfoservices.near: there is no key "size"',
    ],
    [
      "a value that is none",
      (text) => text.replace("1000", "0"),
      "20:1: pathinfoservices.near: capacity: expected a whole",
    ],
    ["a wrong address", (text) => text.replace("[::1]:8000", "h/path"), "path may not be set"],
    [
      "a name that stands for nothing",
      (text) => text.replace('far = "far"', 'far = "afar"'),
      "5:1: there is no table [blobservices.afar]",
    ],
    [
      "what is made of itself",
      (text) => text.replace('near = "near"', 'near = "root"'),
      "blobservices.root is made of blobservices.root",
    ],
    [
      "two names of one key",
      (text) => text.replace('near = "near"', 'near = "near"\nlocal = "near"'),
      "local is near",
    ],
  ])("%s is a mistake with its place", (_, change, mistake) => {
    const { mistakes = [] } = table(change(PEERS));
    expect(mistakes.map(({ line, column, text }) => `${line}:${column}: ${text}`).join("\n")).toContain(
      mistake,
    );
  });

  test("a composition in front of other stores keeps its entries", async () => {
    const { composition } = table(
      PEERS.replaceAll('"near"', '"upstream-1"').replaceAll(".near]", ".upstream-1]"),
    );
    if (composition === undefined) throw new Error("it can be read");
    const stores = ["grpc+http://one.example", "grpc+http://two.example", "grpc+http://three.example"];
    const front = inFrontOf({ local: composition, stores });
    expect(describeComposition(front).split("\n").slice(0, 9)).toEqual([
      'blob: cache "front" writes=near',
      '  near: combined "root"',
      '    near: memory "upstream-1"',
      '    far: grpc "far" url=grpc+http://[::1]:8000',
      '  far: combined "upstreams-from-1"',
      '    near: grpc "upstream-1_" url=grpc+http://one.example',
      '    far: combined "upstreams-from-2"',
      '      near: grpc "upstream-2" url=grpc+http://two.example',
      '      far: grpc "upstream-3" url=grpc+http://three.example',
    ]);
    await using _ = await openComposition(front, ENVIRONMENT);
  });

  test("what cannot be opened is named, and leaves nothing open", async () => {
    const path = join(await temporaryDirectory(), "data");
    const { composition } = table(
      PEERS.replace(
        '[blobservices.near]\ntype = "memory"',
        `[blobservices.near]\ntype = "level"\npath = "${path}"`,
      ).replace("grpc+http://localhost:8000", "grpc+unix:///nowhere?wait-connect=1"),
    );
    if (composition === undefined) throw new Error("it can be read");
    const opening = openComposition(composition, ENVIRONMENT);
    await expect(opening).rejects.toThrow("/nowhere");
    await expect(opening).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await using _ = await openStore(path);
  });
});
