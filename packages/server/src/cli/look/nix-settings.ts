import { join } from "node:path";
import { PublicKey } from "@tvix/narinfo";
import { settingOf } from "../nix-conf.ts";
import { configHome, readText } from "../user-files.ts";

/** What Nix is told of caches on this machine. */
export interface NixSettings {
  readonly substituters: readonly string[];
  readonly trustedKeys: readonly PublicKey[];
}

/** Without any setting. */
const DEFAULT_SUBSTITUTER = "https://cache.nixos.org";
const DEFAULT_KEY = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

/** Files that Nix reads, the later ones over the earlier ones. */
export function nixConfFiles(): readonly string[] {
  return ["/etc/nix/nix.conf", join(configHome(), "nix", "nix.conf")];
}

/** The settings of Nix for this user; files that others include are not read. */
export async function readNixSettings(): Promise<NixSettings> {
  const texts = await Promise.all(nixConfFiles().map((file) => readText(file).catch(() => "")));
  const text = [
    `substituters = ${DEFAULT_SUBSTITUTER}`,
    `trusted-public-keys = ${DEFAULT_KEY}`,
    ...texts,
    (process.env["NIX_CONFIG"] ?? "").replaceAll("\\n", "\n"),
  ].join("\n");
  return {
    substituters: [...new Set(settingOf(text, "substituters"))],
    trustedKeys: settingOf(text, "trusted-public-keys").flatMap(keyOf),
  };
}

/** Nix leaves out what it cannot read as well. */
function keyOf(text: string): readonly PublicKey[] {
  try {
    return [PublicKey.parse(text)];
  } catch {
    return [];
  }
}
