import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { createGrpcTransport as createOwnTransport } from "@tvix/castore-grpc/http2";
import { testOverSockets } from "./over-sockets.ts";

// Each call of the suites by the clients that conformance.test.ts leaves out.
testOverSockets("our gRPC", (url) => createOwnTransport({ url }), { namespace: "snix" });
testOverSockets("Connect's gRPC", (baseUrl) => createGrpcTransport({ baseUrl }), { endsBeforeReset: true });
testOverSockets("gRPC-Web over HTTP/1.1", (baseUrl) =>
  createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
);
testOverSockets("Connect over HTTP/2", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }), {
  endsBeforeReset: true,
});
