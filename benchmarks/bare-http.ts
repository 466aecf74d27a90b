// What a binary cache is measured against: files sent by bare node:http, and a text by a bare
// route of fastify. Arguments: the text, and a folder with the files.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { fastify } from "fastify";

const [, , text = "", folder = ""] = process.argv;

const files = createServer((request, response) => {
  const file = join(folder, basename(request.url ?? ""));
  response.setHeader("content-length", statSync(file).size);
  createReadStream(file).pipe(response);
});
const app = fastify();
app.get("/:file", (_request, reply) => reply.type("text/x-nix-narinfo").send(text));
files.listen(0, "127.0.0.1", async () => {
  await app.listen({ host: "127.0.0.1", port: 0 });
  console.log(`${(files.address() as AddressInfo).port} ${(app.server.address() as AddressInfo).port}`);
});
process.once("SIGTERM", () => process.exit());
