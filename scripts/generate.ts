// Writes every generated file: the protocol packages (buf) and the FastCDC kernel
// (WebAssembly). `scripts/check-generated.ts` fails when their result is not committed.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import wabt from "wabt";

const CHUNKING = "packages/castore/src/chunking";

for (const template of ["buf.gen.yaml", "buf.gen.grpc.yaml"]) {
  execFileSync("buf", ["generate", "--template", template], { stdio: "inherit" });
}

const { parseWat } = await wabt();
const source = `${CHUNKING}/fastcdc-kernel.wat`;
const module = parseWat(source, readFileSync(source, "utf8"));
module.validate();
const { buffer } = module.toBinary({});
writeFileSync(
  `${CHUNKING}/fastcdc-kernel.gen.ts`,
  `// @generated from fastcdc-kernel.wat by scripts/generate.ts\n\n` +
    `/** The kernel's WebAssembly module (${buffer.length} bytes), in base64. */\n` +
    `export const FASTCDC_KERNEL: string =\n  "${Buffer.from(buffer).toString("base64")}";\n`,
);
