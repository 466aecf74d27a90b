import { resolve } from "node:path";
import type { GrpcTransport } from "@tvix/castore-grpc/http2";
import type { Store } from "@tvix/castore-packs";
import { servicesOf } from "../services.ts";
import type { CompositionEnvironment, OpenStore } from "./environment.ts";
import type { GrpcPeer } from "./grpc-peer.ts";
import { keyOfSharedStore, type SharedStoreAddress } from "./shared-store-address.ts";

/** What services of all kinds share: stores and connections, each opened once. */
export class SharedResources {
  readonly environment: CompositionEnvironment;
  readonly #directories: Map<string, Promise<OpenStore>> = new Map();
  readonly #open: OpenStore[] = [];
  readonly #connections: Map<string, Promise<GrpcTransport>> = new Map();

  constructor(environment: CompositionEnvironment) {
    this.environment = environment;
  }

  /** In the order of opening. */
  get openStores(): readonly OpenStore[] {
    return this.#open;
  }

  async dataDirectory(path: string): Promise<OpenStore> {
    const absolute = resolve(path);
    const opening =
      this.#directories.get(absolute) ?? this.#opened(absolute, this.environment.openStore(absolute));
    this.#directories.set(absolute, opening);
    return await opening;
  }

  async sharedStore(address: SharedStoreAddress): Promise<OpenStore> {
    const open = this.environment.openSharedStore;
    if (open === undefined) throw new Error("stores that are shared are not opened here");
    const key = keyOfSharedStore(address);
    const opening = this.#directories.get(key) ?? this.#opened(undefined, open(address));
    this.#directories.set(key, opening);
    return await opening;
  }

  async connection(peer: GrpcPeer): Promise<GrpcTransport> {
    const connecting = this.#connections.get(String(peer)) ?? this.environment.connect(peer);
    this.#connections.set(String(peer), connecting);
    return await connecting;
  }

  /** What closes them: connections first, then data directories. */
  closers(): readonly (() => Promise<void>)[] {
    const connections = Array.from(this.#connections.values(), (connecting) => async () => {
      // One that was never there has nothing to close.
      await (await connecting.catch(() => undefined))?.close();
    });
    const directories = Array.from(this.#directories.values(), (opening) => async () => {
      const open = await opening.catch(() => undefined);
      // Which paths came and were used is written a little later than they are.
      await Promise.all([open?.services.usage.flush(), open?.services.arrivals.flush()]);
      await open?.store.close();
    });
    return [...connections, ...directories.reverse()];
  }

  async #opened(path: string | undefined, opening: Promise<Store>): Promise<OpenStore> {
    const store = await opening;
    const opened = { path, store, services: servicesOf(store) };
    this.#open.push(opened);
    return opened;
  }
}
