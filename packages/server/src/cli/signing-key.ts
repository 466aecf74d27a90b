import { readFile } from "node:fs/promises";
import { SecretKey } from "@tvix/narinfo";

/** The keys in some files, one in each. The text of a key appears in no message. */
export async function readSigningKeys(files: readonly string[]): Promise<readonly SecretKey[]> {
  return await Promise.all(files.map(readSigningKey));
}

async function readSigningKey(file: string): Promise<SecretKey> {
  const text = await readFile(file, "utf8");
  try {
    return SecretKey.parse(text);
  } catch (cause) {
    throw new Error(`${file} holds no signing key: ${(cause as Error).message}`, { cause });
  }
}
