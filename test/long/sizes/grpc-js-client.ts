import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  makeGenericClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import type { ByteStream } from "@tvix/byte-stream";
import { BlobChunkSchema, PutBlobResponseSchema, ReadBlobRequestSchema } from "@tvix/protocol/tvix/castore";

type BlobChunk = MessageShape<typeof BlobChunkSchema>;

/** How one call is encoded. */
function call(name: string, request: DescMessage, response: DescMessage, streams: "request" | "response") {
  const coding = (schema: DescMessage) => ({
    serialize: (message: MessageShape<DescMessage>) => Buffer.from(toBinary(schema, message)),
    deserialize: (bytes: Buffer) => fromBinary(schema, bytes),
  });
  const [asked, answered] = [coding(request), coding(response)];
  return {
    path: `/tvix.castore.v1.BlobService/${name}`,
    requestStream: streams === "request",
    responseStream: streams === "response",
    requestSerialize: asked.serialize,
    requestDeserialize: asked.deserialize,
    responseSerialize: answered.serialize,
    responseDeserialize: answered.deserialize,
  };
}

const Client = makeGenericClientConstructor(
  {
    put: call("Put", BlobChunkSchema, PutBlobResponseSchema, "request"),
    read: call("Read", ReadBlobRequestSchema, BlobChunkSchema, "response"),
  },
  "tvix.castore.v1.BlobService",
);

/** Blobs by `@grpc/grpc-js`, all calls over one connection. */
export class GrpcJsBlobs implements Disposable {
  // biome-ignore lint/suspicious/noExplicitAny: a client of grpc-js has no types for its calls
  readonly #client: any;

  /** @param address host and port */
  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
  }

  /** Puts a blob piece by piece, as quickly as they are taken; returns its digest. */
  async put(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const sending: ClientWritableStream<BlobChunk> = this.#client.put(
      (error: ServiceError | null, answer?: MessageShape<typeof PutBlobResponseSchema>) => {
        if (answer === undefined) reject(error);
        else resolve(answer.digest);
      },
    );
    for await (const data of pieces) {
      const isTaken = sending.write(create(BlobChunkSchema, { data }));
      if (!isTaken) await new Promise((drained) => sending.once("drain", drained));
    }
    sending.end();
    return await promise;
  }

  /** The pieces of a blob; the call begins now. */
  read(digest: Uint8Array): ByteStream {
    const request = create(ReadBlobRequestSchema, { digest });
    const reading: ClientReadableStream<BlobChunk> = this.#client.read(request);
    return (async function* () {
      for await (const { data } of reading as AsyncIterable<BlobChunk>) yield data;
    })();
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
