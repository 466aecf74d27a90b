// The baselines: servers that only count or repeat bytes. Run as a process of its own; prints
// its port as JSON.
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { raiseSessionWindow, SESSION_OPTIONS } from "@tvix/castore-grpc/http2";
import { BlobService } from "@tvix/protocol/tvix/castore";
import { PIECE_BYTES, TOTAL_BYTES } from "./sizes.ts";

const piece = new Uint8Array(PIECE_BYTES).fill(1);

const connect = connectNodeAdapter({
  acceptCompression: [],
  routes(router) {
    router.service(BlobService, {
      async put(messages) {
        let length = 0;
        for await (const { data } of messages) length += data.length;
        return { digest: new TextEncoder().encode(String(length)) };
      },
      async *read() {
        for (let sent = 0; sent < TOTAL_BYTES; sent += PIECE_BYTES) yield { data: piece };
      },
    });
  },
});

const server = createServer({ ...SESSION_OPTIONS }, (request, response) => {
  if (request.url !== "/bare") {
    connect(request, response);
  } else if (request.method === "POST") {
    request.on("data", () => {}).on("end", () => response.end());
  } else {
    let sent = 0;
    const write = () => {
      while (sent < TOTAL_BYTES) {
        sent += PIECE_BYTES;
        if (!response.write(piece)) {
          response.once("drain", write);
          return;
        }
      }
      response.end();
    };
    write();
  }
});
server.on("session", raiseSessionWindow);
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify((server.address() as AddressInfo).port)));
