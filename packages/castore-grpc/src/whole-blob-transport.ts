import type { Transport } from "@connectrpc/connect";

/** A transport that has a shorter way for blobs of one message. */
export interface WholeBlobTransport extends Transport {
  /**
   * Calls a method `Put` with one message.
   *
   * @param path `/` service `/` method
   * @param bytes the blob; must stay as they are until the promise is settled
   * @returns the encoded response
   * @throws ConnectError as a call does
   */
  putWholeBlob(path: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<Uint8Array>;
}

export function takesWholeBlobs(transport: Transport): transport is WholeBlobTransport {
  return "putWholeBlob" in transport;
}
