import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { startServer } from "@tvix/server";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installedProject } from "../packed.ts";

const PACKAGES = [
  "protocol",
  "nix-compat",
  "byte-stream",
  "grpc-reflection",
  "castore",
  "blake3-native",
  "castore-level",
  "castore-grpc",
  "castore-fs",
  "castore-packs",
  "nar",
  "narinfo",
  "store",
];
const CHROMIUM = "/usr/bin/chromium";

/** What both programs do with services of any kind; ends by printing "stored and read". */
const PROGRAM = `
const bytes = new Uint8Array(1_000_000).fill(7);
const digest = await blobService.put(bytes);
let length = 0;
for await (const piece of (await blobService.read(digest)) ?? []) length += piece.length;
const directory = Directory.of([
  { name: PathComponent.from("file"), node: { type: "file", digest, size: BigInt(length), executable: false } },
]);
const root = await directoryService.put(directory);
const found = await directoryService.get(root);
if (length !== bytes.length || found?.entries.length !== 1) throw new Error("not what was stored");
`;

/** The same for store paths: a NAR out and in, a path info that is signed, kept and verified. */
const STORE_PROGRAM = `
const node = { type: "directory", digest: root, size: found.size() } as const;
const services = { blobService, directoryService };
const { node: again, narSize, narHash } = await ingestNar(renderNar(node, services), services);
if (again.type !== "directory" || !again.digest.equals(root)) throw new Error("not the tree of its NAR");
const contentAddress = { method: "nar", hash: narHash } as const;
const storePath = buildContentAddressedPath("directory", contentAddress);
const key = SecretKey.generate("test-1");
await new SigningPathInfoService(pathInfoService, [key]).put({
  storePath, node, narSize, narHash, references: [], signatures: [], deriver: undefined, contentAddress,
});
const info = await pathInfoService.get(storePath.digest);
if (info === undefined) throw new Error("the path info is not there");
const text = formatNarInfo(toNarInfo(info, "nar/x.nar"));
const narinfo = parseNarInfo(text);
const [signature] = narinfo.signatures;
if (signature === undefined || !key.publicKey.verify(fingerprint(narinfo), signature)) throw new Error(text);
`;

const STORE_IMPORTS = `
import { buildContentAddressedPath } from "@tvix/nix-compat";
import { fingerprint, formatNarInfo, parseNarInfo, SecretKey } from "@tvix/narinfo";
import { ingestNar, MemoryPathInfoService, renderNar, SigningPathInfoService, toNarInfo } from "@tvix/store";
import { RecordPathInfoService } from "@tvix/store/records";
`;

/** The part of TypeScript that JavaScript does not know. */
const asJavaScript = (program: string) => program.replaceAll(" as const", "");

const TYPESCRIPT = `
import { type BlobService, type DirectoryService, Directory, MemoryBlobService, MemoryDirectoryService, PathComponent } from "@tvix/castore";
import { openStore } from "@tvix/castore-packs";
import type { PathInfoService } from "@tvix/store";
${STORE_IMPORTS}
async function run(blobService: BlobService, directoryService: DirectoryService, pathInfoService: PathInfoService): Promise<void> {
${PROGRAM}${STORE_PROGRAM}}
await run(new MemoryBlobService(), new MemoryDirectoryService(), new MemoryPathInfoService());
const store = await openStore("./data");
await run(store.blobService, store.directoryService, new RecordPathInfoService(store.database));
await store.close();
console.log("stored and read");
`;

const JAVASCRIPT = `
import { Directory, MemoryBlobService, MemoryDirectoryService, PathComponent } from "@tvix/castore";
const blobService = new MemoryBlobService();
const directoryService = new MemoryDirectoryService();
${PROGRAM}
console.log("stored and read");
`;

const PAGE = `
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { Directory, MemoryBlobService, MemoryDirectoryService, PathComponent } from "@tvix/castore";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { openLevelStore } from "@tvix/castore-level";
import { BrowserLevel } from "browser-level";
${STORE_IMPORTS}
async function run({ blobService, directoryService }, pathInfoService) {
${PROGRAM}${asJavaScript(STORE_PROGRAM)}}
/** Browsers cannot stream a request, so a page reads what others have put. */
async function readRemote(transport, digest, length) {
  const blobs = new GrpcBlobService(transport);
  let found = 0;
  for await (const piece of (await blobs.read(digest)) ?? []) found += piece.length;
  if (found !== length) throw new Error("read " + found + " bytes of " + length);
  if (!(await blobs.has(digest))) throw new Error("has() does not know it");
  const directories = new GrpcDirectoryService(transport);
  const root = Directory.of([]).digest();
  if ((await directories.get(root)) === undefined) throw new Error("the directory is not there");
}
window.runAll = async (baseUrl, length) => {
  const memory = { blobService: new MemoryBlobService(), directoryService: new MemoryDirectoryService() };
  await run(memory, new MemoryPathInfoService());
  const store = await openLevelStore(new BrowserLevel("store"));
  await run(store, new RecordPathInfoService(store.database));
  const digest = await new MemoryBlobService().put(new Uint8Array(length).fill(9));
  for (const createTransport of [createConnectTransport, createGrpcWebTransport]) {
    await readRemote(createTransport({ baseUrl }), digest, length);
  }
  return "stored and read";
};
`;

let project: string;

beforeAll(async () => {
  project = join(tmpdir(), `published-${process.pid}`);
  await installedProject(project, PACKAGES, {
    dependencies: {
      "@connectrpc/connect": "2.2.0",
      "@connectrpc/connect-web": "2.2.0",
      "browser-level": "3.0.0",
      // What bundlers put in place of Node's module, which browser-level imports.
      events: "3.3.0",
    },
    devDependencies: { "@types/node": "24.19.2", typescript: "6.0.3" },
  });
}, 300_000);

afterAll(async () => {
  await rm(project, { recursive: true, force: true });
});

describe("the packages, packed and installed with npm into an empty project", () => {
  test("serve a strict TypeScript program", async () => {
    await writeFile(join(project, "program.ts"), TYPESCRIPT);
    const compilerOptions = {
      module: "nodenext",
      target: "es2023",
      strict: true,
      noEmit: true,
      types: ["node"],
      skipLibCheck: false,
    };
    await writeFile(
      join(project, "tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["program.ts"] }),
    );
    try {
      execFileSync("npx", ["tsc"], { cwd: project, stdio: "pipe", encoding: "utf8" });
    } catch (error) {
      throw new Error((error as { stdout: string }).stdout);
    }
    const output = execFileSync(process.execPath, ["program.ts"], { cwd: project, encoding: "utf8" });
    expect(output).toBe("stored and read\n");
  });

  test("serve a plain JavaScript program", async () => {
    await writeFile(join(project, "program.js"), JAVASCRIPT);
    const output = execFileSync(process.execPath, ["program.js"], { cwd: project, encoding: "utf8" });
    expect(output).toBe("stored and read\n");
  });

  test("run in a browser: in memory, on browser-level, and as a client of a server", async ({ skip }) => {
    if (!existsSync(CHROMIUM)) skip(`${CHROMIUM} is not installed`);
    await writeFile(join(project, "page.js"), PAGE);
    const bundle = join(project, "bundle.js");
    await build({
      entryPoints: [join(project, "page.js")],
      bundle: true,
      format: "esm",
      outfile: bundle,
      logLevel: "error",
    });

    const page = createServer(async (request, response) => {
      const isScript = request.url === "/bundle.js";
      response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
      response.end(isScript ? await readFile(bundle) : '<script type="module" src="/bundle.js"></script>');
    });
    await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
    const { port: pagePort } = page.address() as { port: number };
    const origin = `http://127.0.0.1:${pagePort}`;

    const blobService = new MemoryBlobService();
    const directoryService = new MemoryDirectoryService();
    const length = 1_500_000;
    await blobService.put(new Uint8Array(length).fill(9));
    const { Directory } = await import("@tvix/castore");
    await directoryService.put(Directory.of([]));
    const server = await startServer({
      address: { type: "tcp", host: "127.0.0.1", port: 0 },
      blobService,
      directoryService,
      corsOrigins: [origin],
    });
    const [address] = server.addresses;
    const baseUrl = `http://127.0.0.1:${address?.type === "tcp" ? address.port : 0}`;

    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    try {
      const tab = await browser.newPage();
      const messages: string[] = [];
      tab
        .on("console", (message) => messages.push(message.text()))
        .on("pageerror", (error) => messages.push(String(error)));
      await tab.goto(origin);
      const outcome = await tab
        .waitForFunction("typeof window.runAll === 'function'")
        .then(() => tab.evaluate(`window.runAll(${JSON.stringify(baseUrl)}, ${length})`))
        .catch((error: unknown) => `${error}\n${messages.join("\n")}`);
      expect(outcome).toBe("stored and read");
    } finally {
      await browser.close();
      await server.close(1000);
      page.close();
    }
  });
});
