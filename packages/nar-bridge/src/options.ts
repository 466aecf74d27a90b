import type { IncomingMessage } from "node:http";
import type {
  BlobService,
  ByteBudget,
  DirectoryService,
  MemoryLedger,
  Principal,
  StoredBlobs,
} from "@tvix/castore";
import type { PublicKey, SecretKey } from "@tvix/narinfo";
import type {
  NarCalculationService,
  NarIndex,
  NarLengthsService,
  NarPlans,
  PathInfoService,
  UnitBuffers,
} from "@tvix/store";
import type { FileIndex } from "@tvix/store/records";
import type { DecoderLimits } from "./compression/decoder-memory.ts";
import type { NarInfoExtrasService } from "./narinfo-extras/narinfo-extras.ts";
import type { PendingNarInfos } from "./pending/pending-narinfos.ts";
import type { SideFiles } from "./side-files/side-files.ts";
import type { Offers } from "./upstream/offers.ts";
import type { Upstream } from "./upstream/upstream.ts";
import type { LengthsAhead } from "./write/lengths-ahead.ts";

/** What a binary cache serves from, and stores to. */
export interface NarBridgeServices extends NarBridgeRecords {
  readonly blobService: BlobService;
  readonly directoryService: DirectoryService;
  /** Takes what is uploaded; whom it trusts is its own affair. */
  readonly pathInfoService: PathInfoService;
  /** Is told of NARs that were taken in, so that nobody has to calculate them. */
  readonly narCalculationService?: NarCalculationService | undefined;
  readonly narIndex: NarIndex;
  readonly narLengths: NarLengthsService;
  /** Blobs as they are stored; without them NARs are offered uncompressed. */
  readonly storedBlobs?: StoredBlobs | undefined;
  /** Of which parts NARs consist that are sent as they are stored. Default: their trees are walked each time. */
  readonly narPlans?: NarPlans | undefined;
  /** Which store paths have a file of some name. Default: nobody is told. */
  readonly fileIndex?: Pick<FileIndex, "find"> | undefined;
}

/** What a binary cache remembers of its own. */
export interface NarBridgeRecords {
  /** Logs, realisations and the like. */
  readonly sideFiles: SideFiles;
  /** What narinfos said beyond what path infos have a place for. */
  readonly narInfoExtras: NarInfoExtrasService;
  /** Narinfos that came before their NARs. */
  readonly pendingNarInfos: PendingNarInfos;
}

/** Other caches to ask for what is not here. */
export interface UpstreamOptions {
  /** In the order of preference. */
  readonly upstreams: readonly Upstream[];
  /** Where what they offered is remembered. */
  readonly offers: Offers;
  /** Further headers of a request to them that is made now, such as those of its trace. Default none. */
  readonly headers?: (() => Readonly<Record<string, string>>) | undefined;
  /** Takes what they send, which their own keys have signed. Default: the one of the cache. */
  readonly pathInfoService?: PathInfoService | undefined;
  /** The keys with which the path info service signs what is put: what is offered is signed alike. */
  readonly signingKeys?: readonly SecretKey[] | undefined;
}

/** Bounds of what clients may take. */
export interface NarBridgeLimits {
  /** Longest body of an uploaded NAR, in bytes. Default 32 GiB. */
  readonly maxUploadBytes: number;
  /** Longest NAR, in bytes, after decompression. Default 32 GiB. */
  readonly maxNarBytes: number;
  /** Longest log, listing or other side file, in bytes. Default 64 MiB. */
  readonly maxSideFileBytes: number;
  /** NARs that are taken in at the same time; more of them wait. Default 16. */
  readonly maxUploads: number;
  /** Time that an upload waits for its turn, in milliseconds. Default 60 s. */
  readonly uploadWaitMs: number;
  /** Time for one upload, in milliseconds. Default 1 hour. */
  readonly uploadTimeoutMs: number;
  /** Time without progress after which a client is taken for gone, in milliseconds. Default 60 s. */
  readonly stallMs: number;
  /** Time that a NAR without a narinfo, or the other way round, is known, in milliseconds. Default 7 days. */
  readonly pendingNarMs: number;
  /** The largest window or dictionary that a compressed stream may ask for, in bytes. Default 128 MiB. */
  readonly maxWindowBytes: number;
  /** Bytes that all readers together have read ahead, in all. Default 16 MiB. */
  readonly readAheadBytes: number;
  /** Bytes of files that uploads have brought and that are not yet stored, in all. Default 8 MiB. */
  readonly underWayBytes: number;
}

/** The default of each limit. */
export const DEFAULT_LIMITS: NarBridgeLimits = {
  maxUploadBytes: 32 * 2 ** 30,
  maxNarBytes: 32 * 2 ** 30,
  maxSideFileBytes: 64 << 20,
  maxUploads: 16,
  uploadWaitMs: 60_000,
  uploadTimeoutMs: 3_600_000,
  stallMs: 60_000,
  pendingNarMs: 7 * 24 * 3_600_000,
  maxWindowBytes: 128 << 20,
  readAheadBytes: 16 << 20,
  underWayBytes: 8 << 20,
};

/** Is told what a binary cache does, for whoever counts it. */
export interface NarBridgeMeter {
  /** An upstream, by its host and port, was asked for a file. */
  upstreamAnswered(upstream: string, outcome: "found" | "missing" | "failed"): void;
  /**
   * An upstream is not asked for a while.
   *
   * @param forMs how long, in milliseconds from now
   */
  upstreamRests(upstream: string, forMs: number): void;
}

/** How a binary cache behaves. */
export interface NarBridgeOptions extends NarBridgeServices {
  /** Lower is asked first; cache.nixos.org has 40. Default 39. */
  readonly priority?: number | undefined;
  /** The form of NARs that narinfos offer. Default `zstd`. */
  readonly compression?: "zstd" | "none" | undefined;
  /** Keys with which paths here are signed, announced in `nix-cache-info`. Default none. */
  readonly publicKeys?: readonly PublicKey[] | undefined;
  /** Whether uploads are taken. Default true. */
  readonly writable?: boolean | undefined;
  /** Who sends a request, where services make a difference. Default: nobody is told apart. */
  readonly principalOf?: ((request: IncomingMessage) => Principal | undefined) | undefined;
  readonly limits?: Partial<NarBridgeLimits> | undefined;
  /** What decoders draw their memory from. Default: whatever they need. */
  readonly memory?: MemoryLedger | undefined;
  /** Default: nobody is told. */
  readonly meter?: NarBridgeMeter | undefined;
  /** Default: none are asked. */
  readonly pullThrough?: UpstreamOptions | undefined;
}

/** Options with everything decided, and what requests share. */
export interface Bridge extends NarBridgeServices {
  readonly priority: number;
  readonly publicKeys: readonly PublicKey[];
  readonly compression: "zstd" | "none";
  readonly writable: boolean;
  readonly principalOf: NarBridgeOptions["principalOf"];
  readonly limits: NarBridgeLimits;
  readonly meter: NarBridgeMeter | undefined;
  /** What decoders may take. */
  readonly decoders: DecoderLimits;
  /** What all readers together may read ahead. */
  readonly readAhead: ByteBudget;
  /** Measures what was uploaded before somebody asks. */
  readonly lengthsAhead: LengthsAhead;
  /** What pieces of stored NARs are made in: whoever sends them is done with one when it asks for the next. */
  readonly buffers: UnitBuffers;
  /** What files of all uploads may hold until they are stored. */
  readonly underWay: ByteBudget;
}
