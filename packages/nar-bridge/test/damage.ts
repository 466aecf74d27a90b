import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Changes one byte of the payload of every record of the packs of a store. */
export function damagePacks(data: string): void {
  const folder = join(data, "packs");
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name));
    for (let at = bytes.indexOf("CHNK"); at >= 0; at = bytes.indexOf("CHNK", at + 4)) {
      bytes[at + 60] = (bytes[at + 60] as number) ^ 1;
    }
    writeFileSync(join(folder, name), bytes);
  }
}
