import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { SCOPES, type Scope } from "../admission/scope.ts";
import { createToken, type TokenRecord } from "../tokens/token.ts";
import { TokenFile } from "../tokens/token-file.ts";
import { defaultDataDirectory } from "./data-directory.ts";
import { parseEnd } from "./duration.ts";
import { print } from "./output.ts";
import { directory } from "./parse.ts";
import { quoteName } from "./quote-name.ts";

/** Where tokens are kept, as far as the command line says. */
export interface TokenFileOptions {
  readonly data: string;
  readonly tokenFile?: string;
}

/** The file of tokens that belongs to a data directory, unless another one is named. */
export function tokenFileOf({ data, tokenFile }: TokenFileOptions): TokenFile {
  return new TokenFile(tokenFile ?? join(data, "tokens.json"));
}

/** The option that names the file of tokens. */
export function tokenFileOption(): Option {
  return new Option("--token-file <file>", "where tokens are kept; default tokens.json in the data directory")
    .env("TVIX_STORE_TOKEN_FILE")
    .argParser(directory);
}

/** `tvix-store token …`: tokens for those who use a daemon. */
export function addTokenCommands(program: Command): void {
  const tokens = program.command("token").description("make and revoke tokens for those who use a daemon");
  withFile(tokens.command("create"))
    .description("make a token and print it; it is shown this once")
    .argument("[name]", "whose it is, for logs and lists", parseName, "unnamed")
    .addOption(
      new Option("--scope <scope>", "what it may do: read; add as well; or replace what is there")
        .choices(SCOPES)
        .makeOptionMandatory(),
    )
    .option("--prefix <text>", "names of store paths have to begin so for it to tell of them", parsePrefix)
    .option("--expires <when>", "after a time such as 12h or 90d, or on a date", (text) => parseEnd(text))
    .option("--json", "print an object: the token, and what it may do")
    .action(create);
  withFile(tokens.command("list"))
    .description("list tokens, without their secrets")
    .option("--json", "print JSON")
    .action(list);
  withFile(tokens.command("revoke"))
    .description("make a token invalid; a running daemon notices within a second")
    .argument("<id>", "as token list shows it, or the token itself")
    .action(revoke);
}

function withFile(command: Command): Command {
  return command
    .addOption(
      new Option("--data <directory>", "data directory of the daemon")
        .env("TVIX_STORE_DATA")
        .argParser(directory)
        .default(defaultDataDirectory(), "$XDG_DATA_HOME/tvix-store"),
    )
    .addOption(tokenFileOption());
}

interface CreateOptions extends TokenFileOptions {
  readonly scope: Scope;
  readonly prefix?: string;
  readonly expires?: Date;
  readonly json?: boolean;
}

async function create(name: string, options: CreateOptions): Promise<void> {
  const { scope, prefix, expires, json = false } = options;
  const { text, record } = createToken({ name, scope, prefix, expires });
  await tokenFileOf(options).change((records) => [...records, record]);
  const { hash: _, ...shown } = record;
  try {
    await print(json ? `${JSON.stringify({ token: text, ...shown })}\n` : `${text}\n`);
  } catch (error) {
    // One that nobody has seen is of use to nobody.
    await tokenFileOf(options).change((records) => records.filter(({ id }) => id !== record.id));
    throw error;
  }
}

async function list(options: TokenFileOptions & { readonly json?: boolean }): Promise<void> {
  const file = tokenFileOf(options);
  if (!existsSync(dirname(file.path))) throw new Error(`there is no directory ${dirname(file.path)}`);
  const records = file.read();
  if (options.json === true) {
    await print(
      `${JSON.stringify(
        records.map(({ hash: _, ...shown }) => shown),
        undefined,
        1,
      )}\n`,
    );
    return;
  }
  for (const record of records) await print(`${describe(record)}\n`);
}

function describe({ id, name, scope, prefix, created, expires }: TokenRecord): string {
  const ends =
    expires === undefined
      ? "lasts"
      : `${expires <= new Date() ? "expired" : "until"} ${expires.toISOString()}`;
  const only = prefix === undefined ? "" : `  only ${JSON.stringify(prefix)}…`;
  return `${id}  ${scope.padEnd(5)}  made ${created.toISOString()}  ${ends}  ${quoteName(Buffer.from(name))}${only}`;
}

async function revoke(given: string, options: TokenFileOptions): Promise<void> {
  const id = /^tvix_([0-9a-f]{12})_/.exec(given)?.[1] ?? given;
  const file = tokenFileOf(options);
  const without = (records: readonly TokenRecord[]) => {
    const left = records.filter((record) => record.id !== id);
    if (left.length < records.length) return left;
    throw new Error(`there is no token ${JSON.stringify(id.slice(0, 50))} in ${file.path}`);
  };
  // Looked up first: nothing is made where there is nothing.
  without(file.read());
  await file.change(without);
}

function parseName(text: string): string {
  if (text !== "" && text.length <= 100 && !/\p{C}/u.test(text)) return text;
  throw new InvalidArgumentError("expected 1 to 100 characters that can be seen.");
}

function parsePrefix(text: string): string {
  if (/^[0-9a-zA-Z+._?=-]{1,211}$/.test(text)) return text;
  throw new InvalidArgumentError("expected the beginning of the name of a store path, without its hash.");
}
