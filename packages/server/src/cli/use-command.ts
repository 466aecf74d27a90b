import { join } from "node:path";
import { type CacheInfo, PublicKey } from "@tvix/narinfo";
import { STORE_DIR } from "@tvix/nix-compat";
import { type Command, Option } from "commander";
import { fetchCacheInfo, parseCacheUrl, shownUrl } from "./cache-url.ts";
import { keptToken } from "./login-command.ts";
import { withNetrcEntry } from "./netrc-entries.ts";
import { settingOf, withCacheLines, withoutCacheLines } from "./nix-conf.ts";
import { print } from "./output.ts";
import { directory, parsed } from "./parse.ts";
import { repeatable } from "./repeatable.ts";
import { configHome, readText, replaceText, tokenFile } from "./user-files.ts";

interface UseOptions {
  readonly write?: boolean;
  readonly undo?: boolean;
  readonly system?: boolean;
  readonly nixConf?: string;
  readonly publicKey?: readonly PublicKey[];
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
    .addHelpText("after", EXAMPLES)
    .action(async (url: URL, options: UseOptions) => {
      const file =
        options.nixConf ??
        (options.system === true ? "/etc/nix/nix.conf" : join(configHome(), "nix", "nix.conf"));
      const before = await readText(file);
      if (options.undo === true) {
        await replaceIfOther(file, before, withoutCacheLines(before, shownUrl(url)));
        return;
      }
      const token = await keptToken(url.hostname);
      const info = await fetchCacheInfo(url, token);
      const netrc =
        token === undefined ? undefined : await netrcFor(withoutCacheLines(before, shownUrl(url)));
      const lines = linesOf(url, info, options.publicKey ?? info.publicKeys ?? [], netrc);
      if (options.write !== true) {
        await print(`${lines.join("\n")}\n`);
        return;
      }
      if (netrc !== undefined && token !== undefined && netrc !== tokenFile()) {
        const entries = await readText(netrc);
        await replaceIfOther(netrc, entries, withNetrcEntry(entries, url.hostname, token), 0o600);
      }
      await replaceIfOther(file, before, withCacheLines(before, shownUrl(url), lines));
      process.stderr.write(`${file} now has Nix ask ${shownUrl(url)}\n`);
    });
}

const EXAMPLES = `
Examples:
  tvix-store use https://cache.example.org            # look at the lines
  tvix-store use https://cache.example.org --write    # for this user, who has to be a trusted one of Nix
  sudo tvix-store use https://cache.example.org --write --system
`;

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

/** Where Nix looks for tokens: there may be others, in a file that settings name. */
async function netrcFor(conf: string): Promise<string> {
  return settingOf(conf, "netrc-file").at(-1) ?? tokenFile();
}

async function replaceIfOther(file: string, before: string, after: string, mode = 0o644): Promise<void> {
  if (after !== before) await replaceText(file, after, mode);
}
