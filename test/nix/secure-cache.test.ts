import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { newAuthority } from "../../packages/server/test/certificates.ts";
import { startDaemon, tvixStore } from "../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../temporary.ts";
import { nixHome, removeHome } from "./nix-home.ts";
import { noNix } from "./real-nix.ts";

if (noNix !== undefined) console.warn(`skipped: ${noNix}`);

describe.skipIf(noNix !== undefined)("a real Nix and a cache for those who have a token", () => {
  test("goes in and comes out by TLS with a netrc, and not without", async () => {
    const base = await mkdtemp(join(tmpdir(), "nix-home-"));
    onTestFinished(() => removeHome(base));
    const authority = await newAuthority();
    const believing = { NIX_SSL_CERT_FILE: authority.certFile };
    const home = await nixHome(base, believing);
    const { certFile, keyFile } = await authority.issue("cache");
    const data = join(await temporaryDirectory(), "data");
    const create = async (scope: string) =>
      (await tvixStore("token", "create", scope, "--scope", scope, "--data", data)).stdout.trim();
    const [read, write] = [await create("read"), await create("write")];
    const daemon = await startDaemon(
      data,
      "--reads",
      "token",
      "--tls-cert-file",
      certFile,
      "--tls-key-file",
      keyFile,
    );
    const url = daemon.url.replace("http://", "https://");
    const source = join(base, "source");
    await writeFile(source, `${Date.now()}`);
    const path = (await home.run("nix-store", "--add", source)).trim();
    const as = async (token: string) => {
      const netrc = join(base, `netrc-${token.slice(5, 17)}`);
      await writeFile(netrc, `machine 127.0.0.1 login anybody password ${token}\n`);
      return ["--option", "netrc-file", netrc];
    };
    const nobody = ["--option", "netrc-file", "/dev/null"];

    await expect(home.nix("copy", "--to", url, path, ...(await as(read)))).rejects.toThrow(/403/);
    await expect(home.nix("copy", "--to", url, path, ...nobody)).rejects.toThrow(/401/);
    await home.nix("copy", "--to", url, path, ...(await as(write)));

    const store = home.freshStore();
    const from = ["copy", "--from", url, "--to", store, "--no-check-sigs", path];
    const another = async (...options: string[]) => {
      const other = await mkdtemp(join(tmpdir(), "nix-home-"));
      onTestFinished(() => removeHome(other));
      return await (await nixHome(other, believing)).nix(...from, ...options);
    };
    // Its words for a cache whose description cannot be read.
    await expect(another(...nobody)).rejects.toThrow("does not appear to be a binary cache");
    await another(...(await as(read)));
    expect(await readFile(join(store, path), "utf8")).toBe(await readFile(source, "utf8"));
  }, 120_000);
});
