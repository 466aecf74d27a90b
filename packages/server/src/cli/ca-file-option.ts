import { Option } from "commander";
import { directory } from "./parse.ts";

/** `--ca-file`, alike for every command that speaks TLS with a server. */
export function caFileOption(scheme: string): Option {
  return new Option("--ca-file <file>", `certificates to believe on ${scheme}, in PEM; default the system's`)
    .env("TVIX_STORE_CA_FILE")
    .argParser(directory);
}
