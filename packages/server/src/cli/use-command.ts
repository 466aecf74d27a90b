import { existsSync } from "node:fs";
import { join } from "node:path";
import { type CacheInfo, PublicKey } from "@tvix/narinfo";
import { STORE_DIR } from "@tvix/nix-compat";
import { type Command, Option } from "commander";
import { believeOnly } from "../compose/authorities.ts";
import { caFileOption } from "./ca-file-option.ts";
import { fetchCacheInfo, isLocalHost, parseCacheUrl, shownUrl } from "./cache-url.ts";
import { keptToken } from "./login-command.ts";
import { nixConfFiles, readNixSettings } from "./look/nix-settings.ts";
import { withNetrcEntry, withoutNetrcEntry } from "./netrc-entries.ts";
import { settingOf, withCacheLines, withoutCacheLines } from "./nix-conf.ts";
import { print } from "./output.ts";
import { directory, parsed } from "./parse.ts";
import { repeatable } from "./repeatable.ts";
import { changeText, configHome, readText, tokenFile } from "./user-files.ts";

interface UseOptions {
  readonly write?: boolean;
  readonly undo?: boolean;
  readonly system?: boolean;
  readonly nixConf?: string;
  readonly publicKey?: readonly PublicKey[];
  readonly caFile?: string;
  readonly json?: boolean;
}

/** `tvix-store use`: has Nix ask a cache. */
export function addUseCommand(program: Command): void {
  program
    .command("use")
    .description("print the lines of nix.conf with which Nix asks a cache, or write them there")
    .argument("<url>", "such as https://cache.example.org", (text) => parsed(text, parseCacheUrl))
    .option("--write", "write them to the user's nix.conf, in place of those written before")
    .addOption(new Option("--undo", "take them out again").conflicts("write"))
    .option("--system", "/etc/nix/nix.conf instead, for everybody on this machine")
    .addOption(new Option("--nix-conf <file>", "another file").argParser(directory).conflicts("system"))
    .addOption(
      repeatable(
        "--public-key <key>",
        "name:base64, which signs what the cache has; default: those it tells",
        (text) => PublicKey.parse(text),
      ),
    )
    .addOption(caFileOption("https"))
    .option("--json", "print an object: the file, the lines, and whether it was changed")
    .action(async (url: URL, options: UseOptions) => {
      const file =
        options.nixConf ??
        (options.system === true ? "/etc/nix/nix.conf" : join(configHome(), "nix", "nix.conf"));
      const rest = withoutCacheLines(await readText(file), shownUrl(url));
      if (options.undo === true) {
        await forgetToken(await netrcInUse(rest), url);
        const changed = await changeText(file, (text) => withoutCacheLines(text, shownUrl(url)), 0o644);
        if (options.json === true) await printJson({ file, lines: [], changed });
        return;
      }
      believeOnly(options.caFile);
      const token = await keptToken(url.origin);
      const info = await fetchCacheInfo(url, token);
      const netrc = token === undefined ? undefined : await netrcInUse(rest);
      const keys = options.publicKey ?? (await announcedKeys(url, info));
      const lines = linesOf(url, info, keys, netrc?.isOwn === true ? netrc.file : undefined);
      if (options.write !== true) {
        if (options.json === true) await printJson({ file, lines, changed: false });
        else await print(`${lines.join("\n")}\n`);
        return;
      }
      if (netrc?.isOwn === false && token !== undefined) {
        await changeText(netrc.file, (entries) => withNetrcEntry(entries, url.origin, token), 0o600);
      }
      const changed = await changeText(file, (text) => withCacheLines(text, shownUrl(url), lines), 0o644);
      if (options.json === true) await printJson({ file, lines, changed });
      else process.stderr.write(`${file} now has Nix ask ${shownUrl(url)}\n`);
    });
}

async function printJson(done: object): Promise<void> {
  await print(`${JSON.stringify(done)}\n`);
}

function linesOf(
  url: URL,
  { storeDir }: CacheInfo,
  keys: readonly PublicKey[],
  netrc: string | undefined,
): readonly string[] {
  if (storeDir !== STORE_DIR)
    throw new Error(`paths of ${shownUrl(url)} lie in ${storeDir}, and those of Nix in ${STORE_DIR}`);
  if (keys.length === 0) {
    process.stderr.write(
      "tvix-store: the cache tells no key with which it signs: Nix takes from it only what is trusted otherwise; say --public-key\n",
    );
  }
  return [
    `extra-substituters = ${shownUrl(url)}`,
    ...(keys.length === 0 ? [] : [`extra-trusted-public-keys = ${keys.join(" ")}`]),
    ...(netrc === undefined ? [] : [`netrc-file = ${netrc}`]),
  ];
}

/** Where Nix looks for tokens without a setting. */
const DEFAULT_NETRC = "/etc/nix/netrc";

/**
 * The file in which Nix looks for tokens, of which it has one: what some `nix.conf` names, or its default where it is
 * there; else that of `login`, which then has to be named.
 */
async function netrcInUse(conf: string): Promise<{ readonly file: string; readonly isOwn: boolean }> {
  const others = await Promise.all(nixConfFiles().map((file) => readText(file).catch(() => "")));
  const named = [conf, ...others].flatMap((text) => settingOf(text, "netrc-file").slice(-1));
  const file =
    named.find((one) => one !== tokenFile()) ?? (existsSync(DEFAULT_NETRC) ? DEFAULT_NETRC : undefined);
  return file === undefined ? { file: tokenFile(), isOwn: true } : { file, isOwn: false };
}

/** The token in the file of somebody else goes again; the one of `login` stays until `logout`. */
async function forgetToken(
  netrc: { readonly file: string; readonly isOwn: boolean },
  url: URL,
): Promise<void> {
  if (netrc.isOwn) return;
  // Whoever may not read it has written nothing there.
  const entries = await readText(netrc.file).catch(() => "");
  if (withoutNetrcEntry(entries, url.origin) === entries) return;
  await changeText(netrc.file, (entries) => withoutNetrcEntry(entries, url.origin), 0o600);
}

/**
 * The keys that a cache tells. A name that Nix trusts with another key is not taken over.
 *
 * @throws Error for such a name
 */
async function announcedKeys(url: URL, { publicKeys = [] }: CacheInfo): Promise<readonly PublicKey[]> {
  const { trustedKeys } = await readNixSettings();
  for (const key of publicKeys) {
    const other = trustedKeys.find(({ name }) => name === key.name);
    if (other !== undefined && other.toString() !== key.toString()) {
      throw new Error(
        `the cache tells another key of the name ${key.name} than Nix trusts; say --public-key if it is right`,
      );
    }
  }
  if (publicKeys.length > 0 && url.protocol === "http:" && !isLocalHost(url.hostname)) {
    process.stderr.write(
      "tvix-store: the keys came without TLS: compare them with what whoever runs the cache says\n",
    );
  }
  return publicKeys;
}
