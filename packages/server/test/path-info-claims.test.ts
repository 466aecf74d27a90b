import { create } from "@bufbuild/protobuf";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { B3Digest, type FileNode, type Node } from "@tvix/castore";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { Signature } from "@tvix/narinfo";
import { encodeNixbase32, StorePath } from "@tvix/nix-compat";
import { NARInfo_SignatureSchema, PathInfoService } from "@tvix/protocol/tvix/store";
import { formatPathInfo, type PathInfo } from "@tvix/store";
import { fixtures } from "@tvix/store/testing";
import { expect, test } from "vitest";
import { wholeServer } from "./whole-server.ts";

type StoreServices = Awaited<ReturnType<typeof wholeServer>>["services"];

const TRANSPORTS = [
  (url: string) => createGrpcTransport({ url }),
  (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
];

/** A path whose contents are here, which nobody has told of yet. */
async function storedFile({ blobService, narCalculationService }: StoreServices) {
  const digest = await blobService.put(new TextEncoder().encode("contents"));
  const node: Node = { type: "file", digest, size: 8n, executable: false };
  const { narSize, narHash } = await narCalculationService.calculateNar(node);
  const info: PathInfo = { ...fixtures.PATH_INFO_SYMLINK, node, narSize, narHash };
  return { info, narInfoUrl: `/${encodeNixbase32(info.storePath.digest)}.narinfo` };
}

test.each(["", "no key", "with:colon", `cache-1:${"A".repeat(86)}==\nURL: elsewhere`])(
  "a signature by %j is taken at no door",
  async (name) => {
    const { url, services } = await wholeServer();
    const message = formatPathInfo(fixtures.PATH_INFO_SYMLINK);
    message.narinfo?.signatures.push(create(NARInfo_SignatureSchema, { name, data: new Uint8Array(64) }));
    for (const connect of TRANSPORTS) {
      const put = createClient(PathInfoService, connect(url)).put(message);
      const error = ConnectError.from(await put.catch((reason: unknown) => reason));
      expect(error.rawMessage).toContain(`${JSON.stringify(name)} is not the name of a key`);
      expect(error.metadata.get("tvix-error-code")).toBe("INVALID_PATH_INFO");
    }
    expect(await Array.fromAsync(services.pathInfoService.list())).toEqual([]);
  },
);

test("one that was stored without a look at it adds no line to a narinfo", async () => {
  const { url, services } = await wholeServer();
  const { info, narInfoUrl } = await storedFile(services);
  const names = ["", "x\nURL: elsewhere\ny", "cache-1"];
  const signatures = names.map((name) => Signature.from(name, new Uint8Array(64)));
  await services.pathInfoService.put({ ...info, signatures });
  const text = await (await fetch(`${url}${narInfoUrl}`)).text();
  expect(text.match(/^URL: .*$/gm)).toHaveLength(1);
  expect(text.match(/^Sig: .*$/gm)).toEqual([`Sig: cache-1:${"A".repeat(86)}==`]);
});

test("a claim over gRPC is taken as it is written, and shown to nobody whom it could mislead", async () => {
  const { url, services } = await wholeServer();
  const { info } = await storedFile(services);
  const client = createClient(PathInfoService, createGrpcTransport({ url }));
  let paths = 0;
  // Each of another path: nobody may replace what was told of one.
  const statusOf = async (claim: PathInfo) => {
    const storePath = StorePath.from(new Uint8Array(20).fill(++paths), "claim");
    await client.put(formatPathInfo({ ...claim, storePath }));
    return (await fetch(`${url}/${storePath.digestText()}.narinfo`)).status;
  };
  expect(await statusOf(info)).toBe(200);
  expect(await statusOf({ ...info, narSize: info.narSize + 1 })).toBe(404);
  const absent = B3Digest.of(new TextEncoder().encode("absent"));
  expect(await statusOf({ ...info, node: { ...(info.node as FileNode), digest: absent } })).toBe(404);
  expect(await statusOf(info)).toBe(200);
});
