import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { MemoryBlobService, MemoryDirectoryService } from "@tvix/castore";
import { startServer } from "@tvix/server";
import { expect, test } from "vitest";

test("the README's buf curl session works by reflection, in every protocol", async () => {
  const session =
    /<!-- test: buf curl -->\n```sh\n(.*?)```/s.exec(readFileSync("README.md", "utf8"))?.[1] ?? "";
  const commands = session.split("\n\n").map((command) => command.trim());
  expect(commands).toHaveLength(4);
  const server = await startServer({
    address: { type: "tcp", host: "127.0.0.1", port: 0 },
    blobService: new MemoryBlobService(),
    directoryService: new MemoryDirectoryService(),
  });
  const [address] = server.addresses;
  const port = address?.type === "tcp" ? address.port : 0;
  const run = async (command: string) => {
    const { promisify } = await import("node:util");
    const { exec } = await import("node:child_process");
    const here = command.replace("localhost:8000", `127.0.0.1:${port}`);
    return (await promisify(exec)(here, { encoding: "utf8" })).stdout;
  };
  const [list = "", put = "", read = "", stat = ""] = commands;
  expect(await run(list)).toMatch(/^tvix\.castore\.v1\.BlobService\/Put$/m);
  expect(await run(list)).toMatch(/^snix\.castore\.v1\.DirectoryService\/Get$/m);
  for (const protocol of ["grpc", "grpcweb", "connect"]) {
    const by = (command: string) => run(command.replace("--protocol grpc", `--protocol ${protocol}`));
    const { digest } = JSON.parse(await by(put));
    expect(Buffer.from(digest, "base64").toString("hex")).toBe(b3sum("Hello World!"));
    expect(JSON.parse(await by(read))).toEqual({ data: Buffer.from("Hello World!").toString("base64") });
    expect(JSON.parse(await by(stat))).toEqual({});
  }
  await server.close(1000);
});

/** What `b3sum` says; its known answer for this text where it is not installed. */
function b3sum(text: string): string {
  try {
    return execFileSync("b3sum", ["--no-names"], { input: text, encoding: "utf8" }).trim();
  } catch {
    console.warn("b3sum is not installed: compared with the digest it is known to print");
    return "5ca7815adcb484e9a136c11efe69c1d530176d549b5d18d038eb5280b4b3470c";
  }
}
