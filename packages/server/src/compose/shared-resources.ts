import { resolve } from "node:path";
import type { GrpcTransport } from "@tvix/castore-grpc/http2";
import { servicesOf } from "../services.ts";
import type { CompositionEnvironment, OpenDataDirectory } from "./environment.ts";
import type { GrpcPeer } from "./grpc-peer.ts";

/** What services of all kinds share: data directories and connections, each opened once. */
export class SharedResources {
  readonly environment: CompositionEnvironment;
  readonly #directories: Map<string, Promise<OpenDataDirectory>> = new Map();
  readonly #open: OpenDataDirectory[] = [];
  readonly #connections: Map<string, Promise<GrpcTransport>> = new Map();

  constructor(environment: CompositionEnvironment) {
    this.environment = environment;
  }

  /** In the order of opening. */
  get dataDirectories(): readonly OpenDataDirectory[] {
    return this.#open;
  }

  async dataDirectory(path: string): Promise<OpenDataDirectory> {
    const absolute = resolve(path);
    const opening = this.#directories.get(absolute) ?? this.#openDirectory(absolute);
    this.#directories.set(absolute, opening);
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
      await (await opening.catch(() => undefined))?.store.close();
    });
    return [...connections, ...directories.reverse()];
  }

  async #openDirectory(path: string): Promise<OpenDataDirectory> {
    const store = await this.environment.openStore(path);
    const opened = { path, store, services: servicesOf(store) };
    this.#open.push(opened);
    return opened;
  }
}
