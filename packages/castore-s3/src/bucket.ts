import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { CastoreError } from "@tvix/castore";
import { parseS3Address, type S3Address } from "./address.ts";
import { isMissing, s3Failure } from "./failure.ts";

/** How a {@link Bucket} is reached. */
export interface BucketOptions {
  /** Default: as for every program of Amazon's. */
  readonly credentials?: S3ClientConfig["credentials"];
  /** How often a request is tried. Default 6: some ten seconds. */
  readonly attempts?: number | undefined;
  /** How long nothing may come over a connection, in milliseconds. Default 30 s. */
  readonly silentMs?: number | undefined;
}

/** Requests at the same time; connections are kept. */
const CONNECTIONS = 64;

/** How long a connection may take, in milliseconds. */
const CONNECT_MS = 5_000;

/** A part of an object that is being put together. */
export interface UploadedPart {
  readonly PartNumber: number;
  readonly ETag: string | undefined;
}

/** An upload of which somebody has seen nothing for long. */
export interface UnfinishedUpload {
  readonly name: string;
  readonly id: string;
  readonly begun: Date;
}

/**
 * The objects below a prefix of a bucket. Requests are tried again where the store is busy or away; all fail with
 * CastoreError UNAVAILABLE, or STORAGE_FAILURE when it refuses.
 */
export class Bucket {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  #requests = 0;

  /** @throws RangeError for an address that is none */
  constructor(address: S3Address | string, options: BucketOptions = {}) {
    const { bucket, prefix, endpoint, region, isPathStyle, profile } =
      typeof address === "string" ? parseS3Address(address) : address;
    this.#bucket = bucket;
    this.#prefix = prefix;
    const { credentials, attempts = 6, silentMs = 30_000 } = options;
    this.#client = new S3Client({
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined && endpoint === undefined ? {} : { region: region ?? "us-east-1" }),
      ...(profile === undefined ? {} : { profile }),
      ...(credentials === undefined ? {} : { credentials }),
      forcePathStyle: isPathStyle,
      maxAttempts: attempts,
      // Others than Amazon's know no checksums behind bodies; ours are in what is stored.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
      requestHandler: {
        connectionTimeout: CONNECT_MS,
        socketTimeout: silentMs,
        httpAgent: { keepAlive: true, maxSockets: CONNECTIONS },
        httpsAgent: { keepAlive: true, maxSockets: CONNECTIONS },
      },
    });
  }

  /** Requests that were made so far; those that were tried again count once. */
  get requests(): number {
    return this.#requests;
  }

  async put(name: string, body: Uint8Array): Promise<void> {
    await this.#send("written", async (at) => {
      await this.#client.send(new PutObjectCommand({ ...at(name), Body: body, ContentLength: body.length }));
    });
  }

  /** Begins an object that is put together of parts. @returns what identifies it */
  async begin(name: string): Promise<string> {
    return await this.#send("written", async (at) => {
      const { UploadId } = await this.#client.send(new CreateMultipartUploadCommand(at(name)));
      if (UploadId === undefined) throw new Error("an upload has no identifier");
      return UploadId;
    });
  }

  /** @param number from 1 on */
  async putPart(name: string, id: string, number: number, body: Uint8Array): Promise<UploadedPart> {
    const part = { UploadId: id, PartNumber: number, Body: body, ContentLength: body.length };
    return await this.#send("written", async (at) => {
      const { ETag } = await this.#client.send(new UploadPartCommand({ ...at(name), ...part }));
      return { PartNumber: number, ETag };
    });
  }

  async complete(name: string, id: string, parts: readonly UploadedPart[]): Promise<void> {
    const upload = { UploadId: id, MultipartUpload: { Parts: [...parts] } };
    await this.#send("written", async (at) => {
      await this.#client.send(new CompleteMultipartUploadCommand({ ...at(name), ...upload }));
    });
  }

  /** Gives up an upload; one that is there no more is no error. */
  async abort(name: string, id: string): Promise<void> {
    await this.#send("written", async (at) => {
      try {
        await this.#client.send(new AbortMultipartUploadCommand({ ...at(name), UploadId: id }));
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }

  /** Bytes of an object; fewer where it ends before, and undefined where there is no such object, or none of the bytes. */
  async get(name: string, start: number, length: number): Promise<AsyncIterable<Uint8Array> | undefined> {
    return await this.#send("read", async (at) => {
      try {
        const Range = `bytes=${start}-${start + length - 1}`;
        const { Body } = await this.#client.send(new GetObjectCommand({ ...at(name), Range }));
        return Body as AsyncIterable<Uint8Array> | undefined;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    });
  }

  /** Length of an object in bytes; undefined where there is none. */
  async lengthOf(name: string): Promise<number | undefined> {
    return await this.#send("read", async (at) => {
      try {
        return (await this.#client.send(new HeadObjectCommand(at(name)))).ContentLength;
      } catch (error) {
        if (!isMissing(error)) throw error;
        // An answer without a body does not say whether it is the object that is missing, or the bucket.
        return await this.#lengthBySending(at(name));
      }
    });
  }

  async #lengthBySending(at: { Bucket: string; Key: string }): Promise<number | undefined> {
    try {
      const { Body, ContentRange } = await this.#client.send(
        new GetObjectCommand({ ...at, Range: "bytes=0-0" }),
      );
      await drain(Body as AsyncIterable<Uint8Array>);
      return Number(/\/(\d+)$/.exec(ContentRange ?? "")?.[1]);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Removes an object; one that is not there is no error. */
  async remove(name: string): Promise<void> {
    await this.#send("written", async (at) => {
      await this.#client.send(new DeleteObjectCommand(at(name)));
    });
  }

  /** The names of all objects below a folder, with their lengths, in their order. */
  async *list(
    folder: string,
  ): AsyncGenerator<{ readonly name: string; readonly length: number }, void, undefined> {
    let ContinuationToken: string | undefined;
    do {
      const page = await this.#send("read", async () => {
        const range = { Bucket: this.#bucket, Prefix: this.#prefix + folder };
        return await this.#client.send(
          new ListObjectsV2Command(ContinuationToken === undefined ? range : { ...range, ContinuationToken }),
        );
      });
      for (const { Key, Size } of page.Contents ?? []) {
        if (Key !== undefined) yield { name: Key.slice(this.#prefix.length), length: Size ?? 0 };
      }
      ContinuationToken = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (ContinuationToken !== undefined);
  }

  /** Uploads below a folder that have begun and not ended. */
  async *unfinished(folder: string): AsyncGenerator<UnfinishedUpload, void, undefined> {
    let marker: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
    while (marker !== undefined) {
      const from: object = marker;
      const page = await this.#send("read", async () => {
        const range = { Bucket: this.#bucket, Prefix: this.#prefix + folder, ...from };
        return await this.#client.send(new ListMultipartUploadsCommand(range));
      });
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
        if (Key === undefined || UploadId === undefined || Initiated === undefined) continue;
        yield { name: Key.slice(this.#prefix.length), id: UploadId, begun: Initiated };
      }
      const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
      marker =
        IsTruncated === true && NextKeyMarker !== undefined
          ? {
              KeyMarker: NextKeyMarker,
              ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker }),
            }
          : undefined;
    }
  }

  /** Ends all connections. */
  close(): void {
    this.#client.destroy();
  }

  async #send<T>(
    verb: "read" | "written",
    request: (at: (name: string) => { Bucket: string; Key: string }) => Promise<T>,
  ): Promise<T> {
    this.#requests++;
    try {
      return await request((name) => ({ Bucket: this.#bucket, Key: this.#prefix + name }));
    } catch (error) {
      throw CastoreError.is(error) ? error : s3Failure(verb, error);
    }
  }
}

/** Reads a body of which nobody needs a byte, so that its connection can be used again. */
async function drain(body: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const _ of body);
  } catch {
    // It broke off: what was asked for stood in front of it.
  }
}
