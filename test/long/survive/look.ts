import { collect } from "@tvix/byte-stream";
import { B3Digest } from "@tvix/castore";
import { openStore, type Store } from "@tvix/castore-packs";
import { StorePath } from "@tvix/nix-compat";
import { LocalMaintenance, servicesOf } from "@tvix/server";
import { RenderingNarCalculation } from "@tvix/store";
import { expect } from "vitest";
import type { Story } from "./story.ts";

/** Opens a store, and looks whether it has what it should, and all of it is whole. */
export async function expectStory(path: string, story: Story, what: string): Promise<void> {
  await using store = await openStore(path);
  await expectStoryOf(store, story, what);
}

/** Looks whether a store has what it should, and all of it is whole. */
export async function expectStoryOf(store: Store, story: Story, what: string): Promise<void> {
  const services = servicesOf(store);
  const calculation = new RenderingNarCalculation(services);
  for (const [name, narHash] of story.paths) {
    const info = await services.pathInfoService.get(StorePath.fromAbsolute(name).digest);
    if (info === undefined) throw new Error(`${what}: ${name} was acknowledged, and is lost`);
    expect(String((await calculation.calculateNar(info.node)).narHash), what).toBe(narHash);
  }
  for (const name of story.forgotten) {
    const info = await services.pathInfoService.get(StorePath.fromAbsolute(name).digest);
    if (info !== undefined) throw new Error(`${what}: ${name} was forgotten, and is there`);
  }
  for (const name of story.blobs) {
    const digest = B3Digest.parse(name);
    const stream = await services.blobService.read(digest);
    if (stream === undefined) throw new Error(`${what}: blob ${name} was acknowledged, and is lost`);
    expect(B3Digest.of(await collect(stream, 2 << 20)).equals(digest), what).toBe(true);
  }
  const faults: unknown[] = [];
  await new LocalMaintenance(store, services, { collection: { graceMs: 0 } }).verify({
    data: "all",
    onFault: (fault) => void faults.push(fault),
  });
  expect(faults, what).toEqual([]);
}
