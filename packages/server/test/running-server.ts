import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { type ServerOptions, startServer } from "@tvix/server";

/** A server on a free port of this machine, over services in memory unless told otherwise. */
export async function runningServer(options: Partial<ServerOptions> = {}) {
  const blobService = options.blobService ?? new MemoryBlobService();
  const directoryService = options.directoryService ?? new MemoryDirectoryService();
  const server = await startServer({
    address: { type: "tcp", host: "127.0.0.1", port: 0 },
    ...options,
    blobService,
    directoryService,
  });
  const [address] = server.addresses;
  const port = address?.type === "tcp" ? address.port : 0;
  const close = async () => {
    await server.close(1000);
  };
  return { blobService, directoryService, server, port, url: `http://127.0.0.1:${port}`, close };
}
