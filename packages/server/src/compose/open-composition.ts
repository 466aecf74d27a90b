import type { BlobService, DirectoryService } from "@tvix/castore";
import type { PathInfoService } from "@tvix/store";
import type { Composition } from "./composition.ts";
import { type Entry, isEntry, type OpenContext, type Part } from "./entry.ts";
import type { CompositionEnvironment, OpenStore } from "./environment.ts";
import { SERVICE_KINDS, type ServiceKind, type ServiceOfKind } from "./service-kind.ts";
import { SharedResources } from "./shared-resources.ts";

/** The services of a composition, open. */
export interface OpenComposition extends AsyncDisposable {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
  readonly pathInfoService: PathInfoService;
  /** Whether all three services are those of peers, and nothing lies in front of them. */
  readonly isOfPeers: boolean;
  /** The data directory at a path, opened with the others if it is not open. It is closed with them. */
  dataDirectory(path: string): Promise<OpenStore>;
  /** Data directories that are open, in the order of opening. */
  readonly openStores: readonly OpenStore[];
  /** Closes every service, those first that are made of others. */
  close(): Promise<void>;
}

/**
 * Opens the services of a composition, and of its entries those that they are made of. Peers are
 * connected to when they are first used, unless their addresses say otherwise.
 *
 * @throws as the first service that cannot be opened, which names its file or address; then nothing is
 *   left open
 */
export async function openComposition(
  composition: Composition,
  environment: CompositionEnvironment,
): Promise<OpenComposition> {
  const resources = new SharedResources(environment);
  const opening = new Opening(composition, resources);
  const close = async () => {
    await closeAll([...opening.closers(), ...resources.closers()]);
  };
  try {
    return {
      blobService: await opening.root("blob"),
      directoryService: await opening.root("directory"),
      pathInfoService: await opening.root("path-info"),
      isOfPeers: SERVICE_KINDS.every(
        (kind) => composition.entries[kind].get(composition.root)?.type === "grpc",
      ),
      dataDirectory: (path) => resources.dataDirectory(path),
      get openStores() {
        return resources.openStores;
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    // What cannot be closed either says less than why it was not opened.
    await close().catch(() => {});
    throw error;
  }
}

/** Closes one after the other, and all of them. @throws the first failure */
async function closeAll(closers: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closers) await close().catch((error: unknown) => void failures.push(error));
  if (failures.length > 0) throw failures[0];
}

/** Entries with a name are opened once, however many are made of them. */
class Opening {
  readonly #composition: Composition;
  readonly #resources: SharedResources;
  readonly #named: Map<string, Promise<ServiceOfKind[ServiceKind]>> = new Map();
  /** What frees the services that are open, in the order of opening. */
  readonly #closers: (() => Promise<void>)[] = [];

  constructor(composition: Composition, resources: SharedResources) {
    this.#composition = composition;
    this.#resources = resources;
  }

  async root<K extends ServiceKind>(kind: K, within: readonly string[] = []): Promise<ServiceOfKind[K]> {
    return await this.#part({ kind, name: this.#composition.root }, within);
  }

  /** What closes the services, those first that are made of others. */
  closers(): readonly (() => Promise<void>)[] {
    return this.#closers.toReversed();
  }

  /** @param within names of the entries that wait for this one, each for the next */
  async #part<K extends ServiceKind>(part: Part<K>, within: readonly string[]): Promise<ServiceOfKind[K]> {
    if (isEntry(part)) return await this.#open(part, within);
    const entries: ReadonlyMap<string, Entry<K>> = this.#composition.entries[part.kind];
    const name = `${part.kind} service ${JSON.stringify(part.name)}`;
    const entry = entries.get(part.name);
    if (entry === undefined) throw new Error(`there is no ${name}`);
    if (within.includes(name)) throw new Error(`${[...within, name].join(" is made of ")}, which never ends`);
    const opened = this.#named.get(name) ?? this.#open(entry, [...within, name]);
    this.#named.set(name, opened);
    return (await opened) as ServiceOfKind[K];
  }

  async #open<K extends ServiceKind>(entry: Entry<K>, within: readonly string[]): Promise<ServiceOfKind[K]> {
    const context: OpenContext = {
      environment: this.#resources.environment,
      part: (part) => this.#part(part, within),
      root: (kind) => this.root(kind, within),
      dataDirectory: (path) => this.#resources.dataDirectory(path),
      sharedStore: (address) => this.#resources.sharedStore(address),
      connection: (peer) => this.#resources.connection(peer),
    };
    const { service, close } = await entry.open(context);
    if (close !== undefined) this.#closers.push(close);
    return service;
  }
}
