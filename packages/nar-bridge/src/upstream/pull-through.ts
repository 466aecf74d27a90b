import { encodeHex } from "@tvix/byte-stream";
import { SingleFlight } from "@tvix/castore";
import { extraFieldsOf, formatNarInfo, type NarInfo, parseNarInfo } from "@tvix/narinfo";
import { encodeNixbase32, type NixHash } from "@tvix/nix-compat";
import { type KnownNar, signaturesWith } from "@tvix/store";
import type { FastifyBaseLogger } from "fastify";
import { LRUCache } from "lru-cache";
import type { Bridge, UpstreamOptions } from "../options.ts";
import { formatPlainNarInfo } from "../read/narinfo.ts";
import type { SideFile } from "../side-files/side-files.ts";
import { storePending } from "../write/narinfo.ts";
import { UploadGate } from "../write/upload-gate.ts";
import { type Answer, AskedUpstream, type OfferedNarInfo } from "./asked-upstream.ts";
import { fetchNarInfo } from "./narinfo.ts";
import type { Offer } from "./offers.ts";
import { pullNar } from "./pull-nar.ts";
import { pullSideFile } from "./pull-side-file.ts";
import { UpstreamError } from "./upstream-error.ts";
import { WebClient } from "./web-client.ts";

/** Answers of upstreams that are remembered, and what those that are narinfos may take together, in bytes. */
const REMEMBERED = 20_000;
const REMEMBERED_BYTES = 16 << 20;

/** What is remembered of a narinfo beside its text, in bytes. */
const BESIDE_BYTES = 300;

/** Time for which an answer holds, in milliseconds: a path that is missing may be there soon. */
const FOUND_MS = 3_600_000;
const MISSING_MS = 15_000;

/** Time for which an upstream is not asked for a path whose NAR was wrong there, in milliseconds. */
const BAD_MS = 600_000;

/** Whoever told of a path before its NAR was fetched; what has come since stays. */
const EARLIER = { name: "what came before its NAR", mayReplace: false, pathPrefix: undefined };

/**
 * Asks upstreams for what is not here. Their narinfos are given out at once, with the NAR to be
 * had from here; it is fetched, checked and stored when somebody asks for it, once however
 * many do.
 */
export class PullThrough {
  /** What those who ask may use. */
  readonly #asked: Bridge;
  /** What stores that which upstreams have sent: their keys are others. */
  readonly #bridge: Bridge;
  readonly #options: UpstreamOptions;
  readonly #upstreams: readonly AskedUpstream[];
  readonly #log: FastifyBaseLogger;
  readonly #gate: UploadGate;
  readonly #client: WebClient;
  readonly #closing = new AbortController();
  readonly #texts: LRUCache<string, { readonly text: string | undefined }>;
  readonly #missingFiles: LRUCache<string, true>;
  /** Paths whose NAR has proved wrong, at the upstream that has it. */
  readonly #bad: LRUCache<string, true>;
  /** What was offered, also where it cannot be written down. */
  readonly #offered: LRUCache<string, Offer>;
  readonly #asking = new SingleFlight<string | undefined>();
  readonly #pulling = new SingleFlight<KnownNar>();
  readonly #pullingFiles = new SingleFlight<SideFile | undefined>();

  constructor(bridge: Bridge, options: UpstreamOptions, log: FastifyBaseLogger) {
    this.#client = new WebClient(bridge.decoders, options.headers);
    this.#asked = bridge;
    this.#bridge = { ...bridge, pathInfoService: options.pathInfoService ?? bridge.pathInfoService };
    this.#options = options;
    this.#upstreams = options.upstreams.map((upstream) => new AskedUpstream(upstream, log, bridge.meter));
    this.#log = log;
    this.#gate = new UploadGate({ writable: true, ...bridge.limits });
    this.#texts = new LRUCache({
      max: REMEMBERED,
      maxSize: REMEMBERED_BYTES,
      sizeCalculation: ({ text = "" }) => text.length + BESIDE_BYTES,
    });
    this.#offered = new LRUCache({
      max: REMEMBERED,
      maxSize: REMEMBERED_BYTES,
      sizeCalculation: ({ narInfo }) => narInfo.length + BESIDE_BYTES,
    });
    this.#bad = new LRUCache({ max: REMEMBERED, ttl: BAD_MS });
    this.#missingFiles = new LRUCache({ max: REMEMBERED, ttl: MISSING_MS });
  }

  /** The narinfo of a path that an upstream has, with the NAR to be had from here. */
  async narInfoText(digest: Uint8Array): Promise<string | undefined> {
    const key = encodeHex(digest);
    const known = this.#texts.get(key);
    return known === undefined ? await this.#asking.run(key, () => this.#ask(key, digest)) : known.text;
  }

  /**
   * The NAR of this SHA-256, fetched from the upstream that offered it or from another one that has
   * the same; undefined when none has offered it.
   *
   * @throws UpstreamError: UPSTREAM_UNAVAILABLE while any of them may have it in a moment; TOO_BUSY
   */
  async nar(narHash: NixHash): Promise<KnownNar | undefined> {
    const offer = this.#offered.get(encodeHex(narHash.digest)) ?? (await this.#options.offers.get(narHash));
    if (offer === undefined) return undefined;
    const info = parseNarInfo(offer.narInfo);
    return await this.#pulling.run(encodeHex(narHash.digest), () => this.#pull(offer, info));
  }

  /** A log or the like that an upstream has: fetched and kept as if it had been uploaded. */
  async sideFile(path: string): Promise<SideFile | undefined> {
    if (this.#missingFiles.has(path)) return undefined;
    return await this.#pullingFiles.run(path, async () => {
      const { signal } = this.#closing;
      const pull = { bridge: this.#bridge, client: this.#client, upstreams: this.#upstreams };
      const file = await pullSideFile(pull, path, signal);
      if (file === undefined) this.#missingFiles.set(path, true);
      return file;
    });
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the server is shutting down"));
    await Promise.all([this.#asking.settled(), this.#pulling.settled(), this.#pullingFiles.settled()]);
    await this.#client.close();
  }

  async #ask(key: string, digest: Uint8Array): Promise<string | undefined> {
    const found = await firstFound(
      this.#upstreams.map(async (asked) => (await this.#offerOf(asked, digest)).found),
    );
    const text = found && this.#toText(found.info);
    if (found !== undefined) await this.#remember(found);
    this.#texts.set(key, { text }, { ttl: text === undefined ? MISSING_MS : FOUND_MS });
    return text;
  }

  async #offerOf(asked: AskedUpstream, digest: Uint8Array): Promise<Answer<OfferedNarInfo>> {
    if (this.#bad.has(badKey(asked, digest))) return { found: undefined, mayHaveIt: false };
    const { signal } = this.#closing;
    const { maxNarBytes } = this.#bridge.limits;
    const name = `${encodeNixbase32(digest)}.narinfo`;
    const { found: info, mayHaveIt } = await asked.ask(name, signal, () =>
      fetchNarInfo(this.#client, asked.upstream, digest, signal, maxNarBytes),
    );
    return { found: info && { info, from: asked }, mayHaveIt };
  }

  async #remember({ info, from }: OfferedNarInfo): Promise<void> {
    const offer = { upstream: from.upstream.url.href, narInfo: formatNarInfo(info) };
    this.#offered.set(encodeHex(info.narHash.digest), offer);
    // While nothing can be written, this process remembers it.
    await this.#options.offers.put(info.narHash, offer).catch(() => {});
  }

  /** As the narinfo will be when its NAR is here: signed by us, the NAR to be had as it is. */
  #toText(info: NarInfo): string {
    const signatures = signaturesWith(this.#options.signingKeys ?? [], info);
    return formatPlainNarInfo({ ...info, signatures }, extraFieldsOf(info));
  }

  async #pull(offer: Offer, info: NarInfo): Promise<KnownNar> {
    const { narHash, storePath } = info;
    const offering = this.#upstreams.filter(({ upstream }) => upstream.url.href === offer.upstream);
    const others = this.#upstreams.filter((asked) => !offering.includes(asked));
    let failure: UpstreamError | undefined;
    // What may be over in a moment says more than what is wrong for good.
    const note = (error: UpstreamError) => {
      if (failure === undefined || error.passing) failure = error;
    };
    for (const asked of [...offering, ...others]) {
      const theirs = offering.includes(asked)
        ? { found: { info }, mayHaveIt: true }
        : await this.#offerOf(asked, storePath.digest);
      if (theirs.found?.info.narHash.equals(narHash) !== true) {
        const why = "could not be asked for a NAR";
        if (theirs.mayHaveIt) note(new UpstreamError(asked.upstream, why, { passing: true }));
        continue;
      }
      try {
        return await this.#pullFrom(asked, theirs.found.info);
      } catch (error) {
        if (!(error instanceof UpstreamError)) throw error;
        asked.failed(storePath.toString(), error);
        if (!error.passing) this.#bad.set(badKey(asked, storePath.digest), true);
        const upstream = asked.upstream.url.host;
        this.#log.warn({ err: error, upstream, path: storePath.toString() }, "a NAR could not be fetched");
        note(error);
      }
    }
    // It may be offered anew, by another one.
    this.#texts.delete(encodeHex(storePath.digest));
    throw failure ?? new UpstreamError({ url: new URL(offer.upstream) }, "is not asked any more");
  }

  async #pullFrom(asked: AskedUpstream, info: NarInfo): Promise<KnownNar> {
    const { signal } = this.#closing;
    const nar = await this.#gate.pass(() =>
      pullNar(this.#bridge, this.#client, asked.upstream, info, signal),
    );
    asked.succeeded();
    // Somebody may have told of the path, to sign it, while its NAR was only offered.
    await storePending(this.#asked, info.narHash, this.#log, { principal: EARLIER });
    this.#offered.delete(encodeHex(info.narHash.digest));
    await this.#options.offers.remove(info.narHash).catch(() => {});
    return nar;
  }
}

function badKey({ upstream }: AskedUpstream, digest: Uint8Array): string {
  return `${encodeHex(digest)} ${upstream.url.href}`;
}

/** The first that is found, without waiting for the others; undefined when all have found nothing. */
async function firstFound<T>(answers: readonly Promise<T | undefined>[]): Promise<T | undefined> {
  return await new Promise((resolve, reject) => {
    const found = answers.map((answer) => answer.then((value) => value !== undefined && resolve(value)));
    Promise.all(found).then(() => resolve(undefined), reject);
  });
}
