import { formatNarInfo, type NarInfo, parseNarInfo } from "@tvix/narinfo";
import { encodeHex, encodeNixbase32, type NixHash } from "@tvix/nix-compat";
import type { KnownNar } from "@tvix/store";
import type { FastifyBaseLogger } from "fastify";
import { LRUCache } from "lru-cache";
import { NarBridgeError } from "../errors.ts";
import type { Bridge } from "../options.ts";
import { UploadGate } from "../write/upload-gate.ts";
import { AskedUpstream } from "./asked-upstream.ts";
import type { Offers } from "./offers.ts";
import { pullNar } from "./pull-nar.ts";
import type { Upstream } from "./upstream.ts";

/** Answers of upstreams that are remembered. */
const REMEMBERED = 20_000;

/** Time for which an answer holds, in milliseconds: a path that is missing may be there soon. */
const FOUND_MS = 3_600_000;
const MISSING_MS = 15_000;

/**
 * Asks upstreams for what is not here. Their narinfos are given out at once, with the NAR to be
 * had from here; it is fetched, checked and stored when somebody asks for it, once however
 * many do.
 */
export class PullThrough {
  readonly #bridge: Bridge;
  readonly #offers: Offers;
  readonly #upstreams: readonly AskedUpstream[];
  readonly #log: FastifyBaseLogger;
  readonly #gate: UploadGate;
  readonly #closing = new AbortController();
  readonly #texts: LRUCache<string, { readonly text: string | undefined }>;
  readonly #asking: Map<string, Promise<string | undefined>> = new Map();
  readonly #pulling: Map<string, Promise<KnownNar>> = new Map();

  constructor(bridge: Bridge, offers: Offers, upstreams: readonly Upstream[], log: FastifyBaseLogger) {
    this.#bridge = bridge;
    this.#offers = offers;
    this.#upstreams = upstreams.map((upstream) => new AskedUpstream(upstream, log));
    this.#log = log;
    this.#gate = new UploadGate({ writable: true, ...bridge.limits });
    this.#texts = new LRUCache({ max: REMEMBERED });
  }

  /** The narinfo of a path that an upstream has, with the NAR to be had from here. */
  async narInfoText(digest: Uint8Array): Promise<string | undefined> {
    const key = encodeHex(digest);
    const known = this.#texts.get(key);
    return known === undefined ? await once(this.#asking, key, () => this.#ask(key, digest)) : known.text;
  }

  /**
   * The NAR of this SHA-256, fetched from the upstream that offered it; undefined when none has.
   *
   * @throws NarBridgeError UPSTREAM_FAILED, TOO_BUSY
   */
  async nar(narHash: NixHash): Promise<KnownNar | undefined> {
    const offer = await this.#offers.get(narHash);
    const asked = this.#upstreams.find(({ upstream }) => upstream.url.href === offer?.upstream);
    if (offer === undefined || asked === undefined) return undefined;
    const info = parseNarInfo(offer.narInfo);
    return await once(this.#pulling, encodeHex(narHash.digest), () => this.#pull(asked, info));
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#closing.abort(new NarBridgeError("UPSTREAM_FAILED", "the server is shutting down"));
    await Promise.allSettled([...this.#asking.values(), ...this.#pulling.values()]);
  }

  async #ask(key: string, digest: Uint8Array): Promise<string | undefined> {
    const { signal } = this.#closing;
    const answer = await firstFound(
      this.#upstreams.map(async (asked) => {
        const info = await asked.narInfo(digest, signal);
        return info && { info, upstream: asked.upstream.url.href };
      }),
    );
    const text = answer && toText(answer.info);
    if (answer !== undefined) {
      const { info, upstream } = answer;
      await this.#offers.put(info.narHash, { upstream, narInfo: formatNarInfo(info) });
    }
    this.#texts.set(key, { text }, { ttl: text === undefined ? MISSING_MS : FOUND_MS });
    return text;
  }

  async #pull(asked: AskedUpstream, info: NarInfo): Promise<KnownNar> {
    try {
      const nar = await this.#gate.pass(() =>
        pullNar(this.#bridge, asked.upstream, info, this.#closing.signal),
      );
      await this.#offers.remove(info.narHash);
      return nar;
    } catch (error) {
      // It may be offered anew, by another one.
      this.#texts.delete(encodeHex(info.storePath.digest));
      if (NarBridgeError.is(error) && error.code !== "UPSTREAM_FAILED") throw error;
      this.#log.warn({ err: error, upstream: asked.upstream.url.host }, "a NAR could not be fetched");
      throw error;
    }
  }
}

/** The narinfo as we answer it: the file is the NAR itself, and lies here. */
function toText(info: NarInfo): string {
  const { fileHash: _, ...rest } = info;
  return formatNarInfo({
    ...rest,
    url: `nar/${encodeNixbase32(info.narHash.digest)}.nar`,
    compression: "none",
    fileHash: undefined,
    fileSize: info.narSize,
  });
}

/** The first that is found, without waiting for the others; undefined when all have found nothing. */
async function firstFound<T>(answers: readonly Promise<T | undefined>[]): Promise<T | undefined> {
  return await new Promise((resolve, reject) => {
    const found = answers.map((answer) => answer.then((value) => value !== undefined && resolve(value)));
    Promise.all(found).then(() => resolve(undefined), reject);
  });
}

/** Runs one task for all who ask for the same. */
async function once<T>(underWay: Map<string, Promise<T>>, key: string, task: () => Promise<T>): Promise<T> {
  const running = underWay.get(key) ?? task().finally(() => underWay.delete(key));
  underWay.set(key, running);
  return await running;
}
