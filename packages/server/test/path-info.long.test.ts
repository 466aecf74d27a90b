import { testOverSockets } from "./path-info-servers.ts";

// Each call of the suite by the clients that path-info.test.ts leaves out.
testOverSockets("our gRPC", "snix");
testOverSockets("Connect's gRPC", "tvix");
testOverSockets("Connect's gRPC", "snix");
testOverSockets("gRPC-Web over HTTP/1.1", "tvix");
testOverSockets("gRPC-Web over HTTP/1.1", "snix");
testOverSockets("Connect over HTTP/1.1, in JSON", "tvix");
