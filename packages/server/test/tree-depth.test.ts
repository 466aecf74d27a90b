import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { collect } from "@tvix/byte-stream";
import { Directory, PathComponent } from "@tvix/castore";
import { GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { type NarEntry, writeNar } from "@tvix/nar";
import { encodeNixbase32, NixHash, StorePath } from "@tvix/nix-compat";
import type { PathInfo } from "@tvix/store";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { nested } from "./nested.ts";
import { startDaemon, tvixStore } from "./tvix-store.ts";
import { overHttp2, sha256, wholeServer } from "./whole-server.ts";

async function nestedNar(levels: number): Promise<Uint8Array> {
  const entries: NarEntry[] = [
    ...Array.from(
      { length: levels },
      (_, index): NarEntry => ({
        type: "directory",
        name: new TextEncoder().encode(index === 0 ? "" : "d"),
      }),
    ),
    ...Array.from({ length: levels }, (): NarEntry => ({ type: "end" })),
  ];
  return await collect(writeNar(entries, { maxDepth: 1000 }), 1 << 20);
}

describe("a tree of 64 levels is taken at every door, and none of 65", () => {
  test("directories over gRPC and in the library", async () => {
    const { url, services } = await wholeServer();
    await using transport = createGrpcTransport({ url });
    for (const service of [services.directoryService, new GrpcDirectoryService(transport)]) {
      await service.putMany(nested(64));
      await expect(service.putMany(nested(65))).rejects.toMatchObject({
        code: "TOO_DEEP",
        message: expect.stringContaining("64 levels"),
      });
      expect(await services.directoryService.get((nested(65).at(-1) as Directory).digest())).toBeUndefined();
    }
  });

  test("a NAR over HTTP", async () => {
    const { url } = await wholeServer();
    for (const [levels, status] of [
      [64, 200],
      [65, 400],
      [1000, 400],
    ] as const) {
      const nar = await nestedNar(levels);
      const path = `${url}/nar/${encodeNixbase32(sha256(nar).digest)}.nar`;
      const response = await fetch(path, { method: "PUT", body: nar as BodyInit });
      expect([response.status, await response.text()]).toEqual([
        status,
        status === 200 ? "" : expect.stringContaining("64 levels"),
      ]);
    }
  });

  test("the command line: ingest, import and nar ingest, on a directory and through a daemon", async () => {
    const folder = await temporaryDirectory();
    const [fits, deep] = [join(folder, "fits"), join(folder, "deep")];
    await mkdir(join(fits, ...Array(63).fill("d")), { recursive: true });
    await mkdir(join(deep, ...Array(64).fill("d")), { recursive: true });
    await writeFile(join(folder, "deep.nar"), await nestedNar(65));
    const daemon = await startDaemon(join(folder, "data"));
    for (const options of [["--data", join(folder, "other")], daemon.options]) {
      expect((await tvixStore("castore", "ingest", fits, ...options)).status).toBe(0);
      for (const command of [
        ["castore", "ingest", deep],
        ["import", deep],
        ["nar", "ingest", join(folder, "deep.nar")],
      ]) {
        const refused = await tvixStore(...command, ...options);
        expect([refused.status, refused.stdout, refused.stderr]).toEqual([
          1,
          "",
          expect.stringContaining("64 levels"),
        ]);
      }
    }
  });

  test("what an older version has stored that is deeper is 404 for Nix, and so is a name that no listing has", async () => {
    const { url, store, services } = await wholeServer();
    const odd = Directory.of([
      {
        name: PathComponent.from(Uint8Array.of(0xff)),
        node: { type: "directory", digest: Directory.of([]).digest(), size: 0n },
      },
    ]);
    const levels = nested(66);
    for (const directory of [...levels, odd]) {
      const key = Buffer.concat([Buffer.from("d1"), directory.digest().bytes]);
      await store.database.write([{ type: "put", key, value: directory.encode() }]);
    }
    const put = async (name: string, root: Directory, narSize: number) => {
      const info: PathInfo = {
        storePath: StorePath.from(root.digest().bytes.slice(0, 20), name),
        node: { type: "directory", digest: root.digest(), size: root.size() },
        references: [],
        narSize,
        narHash: NixHash.from("sha256", root.digest().bytes),
        signatures: [],
        deriver: undefined,
        contentAddress: undefined,
      };
      await services.pathInfoService.put(info);
      return info.storePath.digestText();
    };
    const deep = await put("deep", levels.at(-1) as Directory, 1000);
    const unlistable = await put("odd", odd, 304);
    for (const path of [`${deep}.narinfo`, `${deep}.ls`, `${unlistable}.ls`]) {
      expect((await fetch(`${url}/${path}`)).status, path).toBe(404);
      expect((await overHttp2(url, `/${path}`)).status, path).toBe(404);
    }
  });
});
