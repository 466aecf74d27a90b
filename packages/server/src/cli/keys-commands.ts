import { open } from "node:fs/promises";
import { SecretKey } from "@tvix/narinfo";
import type { Command } from "commander";
import { print } from "./output.ts";
import { parsed } from "./parse.ts";

/** `tvix-store keys …`: keys that sign path infos. */
export function addKeysCommands(program: Command): void {
  program
    .command("keys")
    .description("make keys to sign with")
    .command("generate")
    .description("make a new key")
    .argument("<name>", "such as cache.example.org-1", (name) => parsed(name, SecretKey.generate))
    .argument("[file]", "where the secret key goes to; without it, stdout")
    .option("--json", "print an object with the public key, and with the secret one where no file is named")
    .action(generate);
}

/** The secret goes to a file that only its owner can read, or to stdout, never to both. */
async function generate(
  key: SecretKey,
  file: string | undefined,
  { json = false }: { readonly json?: boolean },
): Promise<void> {
  const publicKey = String(key.publicKey);
  if (file === undefined && json) {
    await print(`${JSON.stringify({ publicKey, secretKey: key.export() })}\n`);
    return;
  }
  if (file === undefined) {
    process.stderr.write(`public key: ${publicKey}\n`);
    await print(`${key.export()}\n`);
    return;
  }
  // An existing key is not overwritten.
  const handle = await open(file, "wx", 0o600);
  try {
    await handle.writeFile(`${key.export()}\n`);
  } finally {
    await handle.close();
  }
  await print(json ? `${JSON.stringify({ publicKey, file })}\n` : `${publicKey}\n`);
}
