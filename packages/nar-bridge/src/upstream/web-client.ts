import { lookup } from "node:dns";
import type { LookupFunction } from "node:net";
import type { Dispatcher, EnvHttpProxyAgent, request } from "undici";
import type { DecoderLimits } from "../compression/decoder-memory.ts";
import { isPrivateAddress } from "./private-addresses.ts";
import { proxiesOf } from "./proxies.ts";

/** The address of a host is not one that may be asked. */
export class PrivateAddressError extends Error {}

/**
 * Asks other machines over HTTP, through the proxies that `http_proxy`, `https_proxy`,
 * `all_proxy` and `no_proxy` name.
 */
export class WebClient {
  readonly #proxies: ReturnType<typeof proxiesOf>;
  #agents: Promise<Agents> | undefined;
  #isClosed = false;

  /** What the Content-Encoding of an answer may take. */
  readonly decoders: DecoderLimits;

  readonly #further: () => Readonly<Record<string, string>>;

  /**
   * @param further headers of each request that is made
   * @throws Error when a proxy is named by what is no address
   */
  constructor(decoders: DecoderLimits, further: () => Readonly<Record<string, string>> = () => ({})) {
    this.decoders = decoders;
    this.#further = further;
    this.#proxies = proxiesOf(process.env);
  }

  /**
   * @param publicOnly whether hosts in private networks are out of reach; one that is named by
   *   its address has to be checked before
   */
  async get(
    url: URL,
    options: {
      readonly headers: Readonly<Record<string, string>>;
      readonly signal: AbortSignal;
      readonly publicOnly: boolean;
    },
  ): Promise<Dispatcher.ResponseData> {
    const { signal, publicOnly } = options;
    const headers = { ...this.#further(), ...options.headers };
    if (this.#isClosed) throw new Error("the client is closed");
    this.#agents ??= makeAgents(this.#proxies);
    const agents = await this.#agents;
    const dispatcher = publicOnly ? agents.publicOnly : agents.anywhere;
    // How long anything may take is said by the signal.
    return await agents.request(url, { dispatcher, headers, signal, headersTimeout: 0, bodyTimeout: 0 });
  }

  /** Ends every connection. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const agents = await this.#agents;
    await Promise.all([agents?.anywhere.destroy(), agents?.publicOnly.destroy()]);
  }
}

/** What makes requests. */
interface Agents {
  readonly request: typeof request;
  readonly anywhere: EnvHttpProxyAgent;
  /** Looks at addresses when it connects: what a name stood for before may have changed. */
  readonly publicOnly: EnvHttpProxyAgent;
}

/** Loaded with the first request: it is a quarter of all code, and most commands ask nobody. */
async function makeAgents(proxies: ReturnType<typeof proxiesOf>): Promise<Agents> {
  const { EnvHttpProxyAgent, request } = await import("undici");
  return {
    request,
    anywhere: new EnvHttpProxyAgent(proxies),
    publicOnly: new EnvHttpProxyAgent({ ...proxies, connect: { lookup: publicAddress } }),
  };
}

const publicAddress: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, "");
    const bad = addresses.find(({ address }) => isPrivateAddress(address));
    if (bad !== undefined) {
      return callback(new PrivateAddressError(`${hostname} is at ${bad.address}, in a private network`), "");
    }
    const [first] = addresses;
    if (options.all === true) return callback(null, addresses);
    callback(null, first?.address ?? "", first?.family);
  });
};
