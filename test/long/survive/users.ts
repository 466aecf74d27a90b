import { randomBytes } from "node:crypto";
import { B3Digest } from "@tvix/castore";
import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore-grpc";
import { createGrpcTransport } from "@tvix/castore-grpc/http2";
import { StorePath } from "@tvix/nix-compat";
import { RenderingNarCalculation } from "@tvix/store";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import {
  narInfoOf,
  narInfoUrl,
  pathOf,
  put,
  smallSample,
} from "../../../packages/nar-bridge/test/samples.ts";
import { GrpcMaintenance } from "../../../packages/server/src/maintenance/grpc-maintenance.ts";
import type { Daemon } from "../../../packages/server/test/tvix-store.ts";
import type { Random } from "./random.ts";
import type { Story } from "./story.ts";
import { directoryNode, directoryOf } from "./trees.ts";

const SIZES = [10, 300, 3000, 40_000, 40_000, 1_000_000];
const HOUR_MS = 3_600_000;

/** What users work with. */
export interface UsersOptions {
  readonly token: string;
  readonly story: Story;
  readonly random: Random;
  readonly name: string;
  /** How many things others of this name have done. */
  readonly number: number;
}

/** Somebody who stores and removes, by every door, until the daemon is gone. */
export class Users {
  readonly #story: Story;
  readonly #random: Random;
  readonly #daemon: Daemon;
  readonly #token: string;
  /** What makes its names different from those of others. */
  readonly #name: string;
  #number: number;
  /** Set when the daemon is about to be killed: what fails from then on fails because of that. */
  isOver = false;

  constructor(daemon: Daemon, { token, story, random, name, number }: UsersOptions) {
    this.#daemon = daemon;
    this.#token = token;
    this.#story = story;
    this.#random = random;
    this.#name = name;
    this.#number = number;
  }

  /** How many things have been done. */
  get number(): number {
    return this.#number;
  }

  /** Works until everything fails. */
  async work(): Promise<void> {
    const token = this.#token;
    const transport = createGrpcTransport({ url: this.#daemon.url }, { reconnectMs: 0, token });
    try {
      const services = {
        blobService: new GrpcBlobService(transport),
        directoryService: new GrpcDirectoryService(transport),
        pathInfoService: new GrpcPathInfoService(transport),
      };
      const maintenance = new GrpcMaintenance(transport);
      const tasks = [
        () => this.#putPath(services),
        () => this.#putPath(services),
        () => this.#putPath(services),
        () => this.#upload(),
        () => this.#upload(),
        () => this.#maintain(maintenance),
      ];
      await Promise.all(tasks.map((task) => this.#untilKilled(task)));
    } finally {
      await transport.close();
    }
  }

  async #untilKilled(task: () => Promise<void>): Promise<void> {
    while (!this.isOver) {
      try {
        await task();
      } catch (error) {
        if (!this.isOver) throw error;
      }
    }
  }

  async #putPath(services: {
    blobService: GrpcBlobService;
    directoryService: GrpcDirectoryService;
    pathInfoService: GrpcPathInfoService;
  }): Promise<void> {
    const bytes = randomBytes(this.#random.pick(SIZES));
    const digest = await services.blobService.put(bytes);
    this.#story.add({ type: "blob", digest: digest.toString() });
    const file = { type: "file", digest, size: BigInt(bytes.length), executable: false } as const;
    const leaf = directoryOf({ file });
    const root = directoryOf({ leaf: directoryNode(leaf) });
    await services.directoryService.putMany([leaf, root]);
    const node = directoryNode(root);
    const { narHash, narSize } = await new RenderingNarCalculation(services).calculateNar(node);
    const name = `path-${this.#number++}`;
    const storePath = StorePath.from(
      B3Digest.of(Buffer.from(`${this.#name} ${name}`)).bytes.slice(0, 20),
      name,
    );
    await services.pathInfoService.put({
      storePath,
      node,
      narHash,
      narSize,
      references: [],
      signatures: [],
      deriver: undefined,
      contentAddress: undefined,
    });
    this.#story.add({ type: "put", path: storePath.toAbsolute(), narHash: narHash.toString() });
    // From now on it is there because of the path, and as long as that.
    this.#story.blobs.delete(digest.toString());
  }

  /** As Nix uploads. */
  async #upload(): Promise<void> {
    const one = await smallSample(`upload ${this.#name} ${this.#number++}`);
    const authorization = { authorization: `Bearer ${this.#token}` };
    const [status] = await put(
      `${this.#daemon.url}/nar/${one.digits}.nar`,
      one.nar as BodyInit,
      authorization,
    );
    if (status !== 200) throw new Error(`a NAR was answered with ${status}`);
    const [infoStatus] = await put(narInfoUrl(this.#daemon.url, one), narInfoOf(one), authorization);
    if (infoStatus !== 200) throw new Error(`a narinfo was answered with ${infoStatus}`);
    this.#story.add({ type: "put", path: pathOf(one).toAbsolute(), narHash: one.hash.toString() });
  }

  async #maintain(maintenance: GrpcMaintenance): Promise<void> {
    const paths = [...this.#story.paths.keys()];
    const path = paths[this.#random.below(paths.length)];
    if (path === undefined) return void (await new Promise(setImmediate));
    const what = this.#random.below(4);
    if (what === 0) await orRefused(maintenance.collect({ graceMs: HOUR_MS }));
    const storePath = StorePath.fromAbsolute(path);
    if (what === 1)
      await orRefused(maintenance.setPin({ name: `pin-${this.#random.below(3)}`, object: storePath }));
    if (what < 2) return;
    this.#story.add({ type: "forgetting", path });
    if (await orRefused(maintenance.forget(storePath))) this.#story.add({ type: "forgotten", path });
  }
}

/** What is said to who comes while somebody collects, or wants to forget what is pinned. */
const REFUSED = /collects garbage|is pinned|was used at this moment|is not in the store/;

/** Whether a call was done; false when it was refused for a reason that may well be. */
async function orRefused(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (REFUSED.test((error as Error).message)) return false;
    throw error;
  }
}
