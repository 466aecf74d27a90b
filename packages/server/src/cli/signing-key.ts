import { readFile } from "node:fs/promises";
import { SecretKey } from "@tvix/narinfo";

/** The key in a file; undefined without a file. The text of the key appears in no message. */
export async function readSigningKey(file: string | undefined): Promise<SecretKey | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, "utf8");
  try {
    return SecretKey.parse(text);
  } catch (cause) {
    throw new Error(`${file} holds no signing key: ${(cause as Error).message}`, { cause });
  }
}
