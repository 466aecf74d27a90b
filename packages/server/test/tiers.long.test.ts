import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir, truncate, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fixtures } from "@tvix/castore/testing";
import { formatNarInfo, SecretKey } from "@tvix/narinfo";
import { encodeNixbase32, StorePath } from "@tvix/nix-compat";
import { signaturesWith } from "@tvix/store";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryDirectory } from "../../../test/temporary.ts";
import { freePort } from "./free-port.ts";
import { type Daemon, endDaemon, startDaemon, tvixStore } from "./tvix-store.ts";
import { sha256 } from "./whole-server.ts";

const key = SecretKey.generate("upstream-1");

/** A NAR with one file. */
function narOf(contents: Uint8Array): Buffer {
  const word = (bytes: Uint8Array | string) => {
    const text = Buffer.from(bytes);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([length, text, Buffer.alloc((8 - (text.length % 8)) % 8)]);
  };
  return Buffer.concat(["nix-archive-1", "(", "type", "regular", "contents", contents, ")"].map(word));
}

/** A binary cache with some paths, which can be switched off. */
class Upstream {
  readonly #files = new Map<string, Buffer | string>();
  readonly #server: Server;
  isBroken = false;
  asked = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      this.asked++;
      const file = this.#files.get(request.url ?? "");
      response.statusCode = this.isBroken ? 500 : file === undefined ? 404 : 200;
      response.end(response.statusCode === 200 ? file : "");
    });
  }

  async start(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    onTestFinished(() => void this.#server.close());
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  add(name: string, contents: Uint8Array): StorePath {
    const nar = narOf(contents);
    const narHash = sha256(nar);
    const storePath = StorePath.from(new Uint8Array(createHash("sha1").update(name).digest()), name);
    const known = { storePath, references: [], narSize: nar.length, narHash, signatures: [] };
    const info = {
      ...known,
      signatures: signaturesWith([key], known),
      url: `nar/${name}.nar`,
      compression: "none",
      fileHash: undefined,
      fileSize: undefined,
      deriver: undefined,
      system: undefined,
      contentAddress: undefined,
    };
    this.#files.set(`/${encodeNixbase32(storePath.digest)}.narinfo`, formatNarInfo(info));
    this.#files.set(`/nar/${name}.nar`, nar);
    return storePath;
  }
}

interface Tiers {
  readonly upstream: Upstream;
  readonly team: { daemon: Daemon; readonly data: string; readonly port: number };
  readonly local: Daemon;
  readonly localData: string;
}

/** An LRU, a data directory, another daemon and a binary cache, each behind the one before. */
async function startTiers(): Promise<Tiers> {
  const base = await temporaryDirectory();
  const upstream = new Upstream();
  await upstream.start();
  const port = await freePort();
  const team = join(base, "team");
  const listen = ["--listen-address", `127.0.0.1:${port}`];
  const daemon = await startDaemon(team, ...listen);
  const localData = join(base, "local");
  const remote = `type = "grpc"\nurl = "grpc+http://127.0.0.1:${port}"`;
  const composition = `
[blobservices.root]
type = "cache"
near = "local"
far = "team"
writes = "near"
[blobservices.local]
type = "level"
path = "${localData}"
[blobservices.team]
${remote}
[directoryservices.root]
type = "cache"
near = "local"
far = "team"
writes = "near"
[directoryservices.local]
type = "level"
path = "${localData}"
[directoryservices.team]
${remote}
[pathinfoservices.root]
type = "cache"
near = "lru"
far = "kept"
[pathinfoservices.lru]
type = "lru"
capacity = 100
[pathinfoservices.kept]
type = "cache"
near = "local"
far = "others"
writes = "near"
[pathinfoservices.local]
type = "level"
path = "${localData}"
[pathinfoservices.others]
type = "combined"
near = "team"
far = "nix"
[pathinfoservices.team]
${remote}
[pathinfoservices.nix]
type = "nix"
base_url = "${upstream.url}"
public_keys = ["${key.publicKey}"]
blob_service = "root"
directory_service = "root"
`;
  const file = join(base, "composition.toml");
  await writeFile(file, composition);
  const local = await startDaemon(localData, "--store-composition", file);
  return { upstream, team: { daemon, data: team, port }, local, localData };
}

/** The contents of the file of a path, as a daemon gives them; or how that fails. */
async function contentsOf({ options }: Daemon, path: string): Promise<string> {
  const { status, stdout, stderr } = await tvixStore("nar", "dump", path, ...options);
  return status === 0 ? sha256(Buffer.from(stdout, "latin1")).toString() : stderr;
}

describe("four tiers", () => {
  test("each has what it has, and one that is away hides nothing of the others", async () => {
    const { upstream, team, local } = await startTiers();
    const base = await temporaryDirectory();
    const large = fixtures.pseudoRandomBytes(3_000_000, 1);
    await writeFile(join(base, "of-team"), large);
    await writeFile(join(base, "later"), large.subarray(1_000_000));
    const imported = async (name: string) =>
      (await tvixStore("import", join(base, name), ...team.daemon.options)).stdout.trim();
    const [ofTeam, later] = [await imported("of-team"), await imported("later")];
    const [ofCache, other] = ["of-cache", "other"].map((name) =>
      upstream.add(name, Buffer.from(`contents of ${name}`)).toAbsolute(),
    ) as [string, string];

    const fromTeam = await contentsOf(team.daemon, ofTeam);
    expect(fromTeam).toMatch(/^sha256:/);
    expect(await contentsOf(local, ofTeam)).toBe(fromTeam);
    expect(await contentsOf(local, ofCache)).toMatch(/^sha256:/);
    const nobody = "/nix/store/0c6kzph7l0dcbfmjap64f0czdafn3b7x-nobody";
    expect(await contentsOf(local, nobody)).toContain("is not in the store");

    // The binary cache fails: what is kept and what the team has can be had, the rest may be there.
    upstream.isBroken = true;
    expect(await contentsOf(local, ofCache)).toMatch(/^sha256:/);
    expect(await contentsOf(local, other)).toContain("cannot be asked now");
    upstream.isBroken = false;
    expect(await contentsOf(local, other)).toMatch(/^sha256:/);

    // The team's daemon is away: what was read is here, what was not may be there.
    expect(await endDaemon(team.daemon, "SIGTERM")).toBe(0);
    expect(await contentsOf(local, ofTeam)).toBe(fromTeam);
    expect(await contentsOf(local, ofCache)).toMatch(/^sha256:/);
    const more = upstream.add("more", Buffer.from("more")).toAbsolute();
    expect(await contentsOf(local, more)).toMatch(/^sha256:/);
    expect(await contentsOf(local, later)).toContain("ECONNREFUSED");
    const again = await startDaemon(team.data, "--listen-address", `127.0.0.1:${team.port}`);
    // It is asked again after a few seconds.
    const expected = await contentsOf(again, later);
    await expect.poll(() => contentsOf(local, later), { timeout: 30_000, interval: 1000 }).toBe(expected);
  }, 120_000);

  test("one that says nothing any more is given up long before a client gives up", async () => {
    const { upstream, team, local } = await startTiers();
    const [one, other] = ["one", "other"].map((name) =>
      upstream.add(name, Buffer.from(name)).toAbsolute(),
    ) as [string, string];
    // The team's daemon has been reached, and has answered.
    expect(await contentsOf(local, one)).toMatch(/^sha256:/);
    team.daemon.process.kill("SIGSTOP");
    onTestFinished(() => void team.daemon.process.kill("SIGCONT"));
    expect(await contentsOf(local, other)).toMatch(/^sha256:/);
  }, 40_000);

  test("what is damaged here is fetched again, and whole from then on", async () => {
    const { team, local, localData } = await startTiers();
    const base = await temporaryDirectory();
    await writeFile(join(base, "file"), fixtures.pseudoRandomBytes(3_000_000, 2));
    const path = (await tvixStore("import", join(base, "file"), ...team.daemon.options)).stdout.trim();
    const contents = await contentsOf(local, path);
    expect(contents).toBe(await contentsOf(team.daemon, path));
    const packs = join(localData, "packs");
    for (const name of await readdir(packs)) await truncate(join(packs, name), 700_000);
    expect(await contentsOf(local, path)).toBe(contents);
    expect(await endDaemon(team.daemon, "SIGTERM")).toBe(0);
    expect(await contentsOf(local, path)).toBe(contents);
  }, 120_000);
});
