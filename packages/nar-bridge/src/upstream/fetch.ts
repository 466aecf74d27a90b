import { Readable } from "node:stream";
import { createInflate } from "node:zlib";
import type { ByteStream } from "@tvix/byte-stream";
import type { Dispatcher } from "undici";
import { type Compression, compressionOfEncoding } from "../compression/compression.ts";
import { decompress } from "../compression/decompress.ts";
import { isPrivateHost } from "./private-addresses.ts";
import type { Upstream } from "./upstream.ts";
import { UpstreamError } from "./upstream-error.ts";
import { PrivateAddressError, type WebClient } from "./web-client.ts";

/** Redirections that are followed. */
const MAX_REDIRECTIONS = 5;

/** How a cache says that it has not got something; object stores without a listing right say 403. */
const MISSING = new Set([403, 404, 410, 451]);

/** Longest time that an upstream may ask to be left alone, in milliseconds. */
const RETRY_AFTER_MAX_MS = 600_000;

/** A file that an upstream sends, or the rest of it. */
export interface UpstreamFile {
  /** What is sent, still with its Content-Encoding. */
  readonly body: ByteStream;
  /** Place in the file of the first byte. */
  readonly start: number;
  /** What tells this version of the file from others, to ask for the rest of it. */
  readonly validator: string | undefined;
  readonly contentType: string | undefined;
  /** Without the Content-Encoding. */
  decode(body: ByteStream): ByteStream;
}

/** Which part of a file to ask for. */
export interface FilePart {
  /** First byte, from 0. The whole may be sent nevertheless. */
  readonly start: number;
  /** {@link UpstreamFile.validator} of the part at hand. */
  readonly validator: string | undefined;
}

/**
 * Asks an upstream for a file.
 *
 * @param location relative to the upstream, or absolute
 * @returns undefined when the upstream has not got it
 * @throws UpstreamError, also when the file lies where it may not be fetched from
 */
export async function fetchFile(
  client: WebClient,
  upstream: Upstream,
  location: string,
  signal: AbortSignal,
  part: FilePart = { start: 0, validator: undefined },
): Promise<UpstreamFile | undefined> {
  let url = resolve(upstream, location, upstream.url);
  for (let hop = 0; hop <= MAX_REDIRECTIONS; hop++) {
    const response = await ask(client, upstream, url, signal, part);
    const { statusCode, headers, body } = response;
    const to = headers["location"];
    if (statusCode >= 300 && statusCode < 400 && typeof to === "string") {
      await drop(body);
      url = resolve(upstream, to, url);
      continue;
    }
    // A part that nobody has asked for is no file.
    const isPart = statusCode === 206 && part.start > 0;
    if (statusCode === 200 || (isPart && startOf(headers) === part.start)) {
      return fileOf(client, upstream, response);
    }
    await drop(body);
    if (isPart) {
      // Another part than was asked for: it knows no parts that can be relied on.
      return await fetchFile(client, upstream, location, signal);
    }
    if (statusCode === 416 && part.start > 0) {
      // All of it had come but its end.
      if (headers["content-range"] === `bytes */${part.start}`) return restOf(client, upstream, part.start);
      return await fetchFile(client, upstream, location, signal);
    }
    if (MISSING.has(statusCode)) return undefined;
    const passing = statusCode >= 500 || statusCode === 429 || statusCode === 408;
    const retryAfterMs = retryAfter(headers["retry-after"]);
    throw new UpstreamError(upstream, `answered ${statusCode}`, { passing, ofHost: passing, retryAfterMs });
  }
  throw new UpstreamError(upstream, `redirected more than ${MAX_REDIRECTIONS} times`);
}

/** Whether a narinfo leads to a place from which its file may be fetched. */
export async function isReachable(upstream: Upstream, location: string): Promise<boolean> {
  try {
    const url = resolve(upstream, location, upstream.url);
    return url.origin === upstream.url.origin || !(await isForbidden(upstream, url));
  } catch (error) {
    if (error instanceof UpstreamError) return false;
    throw error;
  }
}

async function ask(
  client: WebClient,
  upstream: Upstream,
  url: URL,
  signal: AbortSignal,
  { start, validator }: FilePart,
): Promise<Dispatcher.ResponseData> {
  const isOwn = url.origin === upstream.url.origin;
  if (!isOwn && (await isForbidden(upstream, url))) {
    throw new UpstreamError(upstream, "names a file in a private network, which is not allowed");
  }
  const publicOnly = !isOwn && !(await isPrivateHost(upstream.url.hostname));
  try {
    // Nobody but the upstream itself is told who asks.
    const authorization = isOwn ? await upstream.credentials?.() : undefined;
    const headers = {
      "accept-encoding": "identity",
      ...(authorization === undefined ? {} : { authorization }),
      ...(start === 0 ? {} : { range: `bytes=${start}-` }),
      ...(start === 0 || validator === undefined ? {} : { "if-range": validator }),
    };
    return await askTwice(() => client.get(url, { headers, signal, publicOnly }));
  } catch (cause) {
    if (cause instanceof PrivateAddressError || (cause as Error).cause instanceof PrivateAddressError) {
      throw new UpstreamError(upstream, "names a file in a private network, which is not allowed", { cause });
    }
    const why = signal.aborted ? "did not answer in time" : "cannot be reached";
    // A head that cannot be read is that of one file.
    const ofHost = !(codeOf(cause)?.startsWith("HPE_") ?? false);
    throw new UpstreamError(upstream, why, { cause, passing: true, ofHost });
  }
}

/** How a connection breaks that its other end has just closed, perhaps because it was idle. */
const BROKEN = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/** Asks again at once where the connection broke before an answer came. */
async function askTwice<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (!BROKEN.has(codeOf(error) ?? "")) throw error;
    return await request();
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}

/** The rest of a file of which nothing is left. */
function restOf(client: WebClient, upstream: Upstream, start: number): UpstreamFile {
  const nothing = Readable.from([]) as unknown as ByteStream;
  const decode = (bytes: ByteStream) => decoded(client, upstream, bytes, "none");
  return { body: nothing, start, validator: undefined, contentType: undefined, decode };
}

/** First byte of the part that an answer has; undefined where it does not say so. */
function startOf(headers: Dispatcher.ResponseData["headers"]): number | undefined {
  const from = /^bytes (\d+)-/.exec(String(headers["content-range"] ?? ""))?.[1];
  return from === undefined ? undefined : Number(from);
}

function fileOf(
  client: WebClient,
  upstream: Upstream,
  { statusCode, headers, body }: Dispatcher.ResponseData,
): UpstreamFile {
  const start = statusCode === 206 ? (startOf(headers) ?? 0) : 0;
  const coding = codingOf(headers["content-encoding"]);
  if (coding === undefined) {
    body.destroy();
    throw new UpstreamError(upstream, "sent a Content-Encoding that is not known");
  }
  const etag = headers["etag"];
  return {
    body,
    start,
    validator: typeof etag === "string" && !etag.startsWith("W/") ? etag : lastModified(headers),
    contentType: typeof headers["content-type"] === "string" ? headers["content-type"] : undefined,
    decode: (bytes) => decoded(client, upstream, bytes, coding),
  };
}

function lastModified(headers: Dispatcher.ResponseData["headers"]): string | undefined {
  const value = headers["last-modified"];
  return typeof value === "string" ? value : undefined;
}

type Coding = Compression | "deflate";

/** How a body is coded, undefined where that is not known. */
function codingOf(header: string | string[] | undefined): Coding | undefined {
  const encoding = header === undefined ? undefined : String(header);
  return encoding?.trim().toLowerCase() === "deflate" ? "deflate" : compressionOfEncoding(encoding);
}

async function* decoded(
  { decoders }: WebClient,
  upstream: Upstream,
  body: ByteStream,
  coding: Coding,
): ByteStream {
  if (coding !== "deflate") {
    yield* decompress(body, coding, decoders);
    return;
  }
  try {
    yield* Readable.from(body).compose(createInflate()) as unknown as ByteStream;
  } catch (cause) {
    if (cause instanceof UpstreamError) throw cause;
    throw new UpstreamError(upstream, "sent what is no deflate stream", { cause });
  }
}

function resolve(upstream: Upstream, location: string, base: URL): URL {
  if (!URL.canParse(location, base.href)) {
    throw new UpstreamError(upstream, "names a file by what is no address");
  }
  const url = new URL(location, base.href);
  const isWeb = url.protocol === "http:" || url.protocol === "https:";
  if (!isWeb || (url.origin !== upstream.url.origin && !upstream.allowOtherOrigins)) {
    throw new UpstreamError(upstream, "names a file at another origin, which is not allowed");
  }
  return url;
}

/** Hash and signature prove what comes from anywhere; but what is private may be asked by a private upstream only. */
async function isForbidden(upstream: Upstream, url: URL): Promise<boolean> {
  return (await isPrivateHost(url.hostname)) && !(await isPrivateHost(upstream.url.hostname));
}

/** Seconds, or a date. */
function retryAfter(header: string | string[] | undefined): number | undefined {
  if (typeof header !== "string") return undefined;
  const milliseconds = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return milliseconds >= 0 ? Math.min(milliseconds, RETRY_AFTER_MAX_MS) : undefined;
}

async function drop(body: Dispatcher.ResponseData["body"]): Promise<void> {
  await body.dump({ limit: 64 << 10 }).catch(() => {});
}
