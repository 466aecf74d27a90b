import { setPriority } from "node:os";
import type { Target } from "./attack.ts";
import { ATTACKS } from "./attacks.ts";

/**
 * Attacks a daemon from a process of its own, to which the name of the attack, the target and the scale are given. Who
 * attacks is somewhere else, and takes no processor from the daemon: here it takes what nobody else wants.
 */
setPriority(19);
const [name, target, scale] = process.argv.slice(2) as [string, string, string];
const attack = ATTACKS.find((one) => one.name === name);
if (attack === undefined) throw new Error(`there is no attack ${name}`);
const { digest, ...rest } = JSON.parse(target) as { url: string; port: number; digest: string };
const bytes = new Uint8Array(Buffer.from(digest, "hex"));
await attack.run({ ...rest, digest: bytes } satisfies Target, Number(scale));
