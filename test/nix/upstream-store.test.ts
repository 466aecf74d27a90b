import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { endDaemon, startDaemon, tvixStore } from "../../packages/server/test/tvix-store.ts";
import { temporaryDirectory } from "../temporary.ts";
import { type NixHome, nixHome, removeHome } from "./nix-home.ts";
import { noNix } from "./real-nix.ts";

if (noNix !== undefined) console.warn(`skipped: ${noNix}`);

const CLOSURE = join(import.meta.dirname, "closure.nix");
const SEED = `seed ${process.pid} ${Date.now()}`;
const KEEP = ["--option", "require-sigs", "false"];

describe.skipIf(noNix !== undefined)("a real Nix", () => {
  const bases: string[] = [];
  const newHome = async (): Promise<NixHome> => {
    const base = await mkdtemp(join(tmpdir(), "nix-home-"));
    bases.push(base);
    return await nixHome(base);
  };
  afterAll(async () => {
    for (const base of bases) await removeHome(base);
  });

  test("fetches from a daemon what the daemon behind it has, and has it when that is away", async () => {
    const folder = await temporaryDirectory();
    const home = await newHome();
    const args = ["--argstr", "seed", SEED, "--argstr", "size", "1000", "-A", "tool.all"];
    const paths = (await home.run("nix-build", CLOSURE, "--no-out-link", ...args)).trim().split("\n");
    const team = await startDaemon(join(folder, "team"));
    await home.nix("copy", "--to", team.url, ...paths);

    const laptop = await startDaemon(join(folder, "laptop"), "--upstream", `grpc+${team.url}`);
    const user = await newHome();
    const fetchAll = async (store: string) => {
      await user.nix("copy", "--from", laptop.url, "--to", store, ...paths, ...KEEP);
      await user.nix("store", "verify", "--store", store, "--recursive", "--no-trust", ...paths);
    };
    await fetchAll(user.freshStore());
    expect(await endDaemon(team, "SIGTERM")).toBe(0);
    await fetchAll(user.freshStore());
  }, 120_000);

  test("tells what it has, and it is stored from where it lies", async () => {
    const home = await newHome();
    const path = (await home.run("nix-store", "--add", CLOSURE)).trim();
    const told = JSON.parse(await home.nix("path-info", "--json", "--recursive", path)) as {
      path: string;
      narHash: string;
      narSize: number;
      references: string[];
    }[];
    const file = join(await temporaryDirectory(), "closure.json");
    await writeFile(file, JSON.stringify({ closure: told }));
    const data = join(await temporaryDirectory(), "data");
    const copied = await tvixStore("copy", file, "--data", data);
    expect(copied).toMatchObject({ status: 0, stdout: "", stderr: "copied 1 of 1 paths\n" });
    expect(await tvixStore("copy", file, "--data", data)).toMatchObject({ stderr: "copied 0 of 1 paths\n" });
    const wrong = told.map((entry) => ({ ...entry, narSize: entry.narSize + 8 }));
    await writeFile(file, JSON.stringify({ closure: wrong }));
    const refused = await tvixStore("copy", file, "--service-addr", "memory://");
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining("are told of it") });
  }, 60_000);
});
