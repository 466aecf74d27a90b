import { Argument, type Command } from "commander";
import { manPage } from "./man-page.ts";
import { print } from "./output.ts";

/** Shells whose completion can be had. */
const SHELLS = ["bash", "zsh", "fish"] as const;

/** The hidden command that a shell's completion asks. */
const COMPLETE = "complete";
const COMPLETION = "completion";

/** What the library prints last: a shell that reads it offers no files, or files where nothing else is known. */
const NO_FILES = ":4";
const FILES = ":0";

/** Has a shell offer files where an argument may be anything: the library never does. */
function offerFiles(): void {
  const write = console.log.bind(console);
  let hasOffers = false;
  console.log = (line: unknown) => {
    write(line === NO_FILES && !hasOffers ? FILES : line);
    hasOffers = true;
  };
}

/** `tvix-store man` and `completion`: what the shell of a user is to know, made of the commands themselves. */
export async function addShellCommands(
  program: Command,
  argv: readonly string[],
  version: string,
): Promise<void> {
  program
    .command("man")
    .description("print the manual page: tvix-store man | man -l -")
    .action(async () => await print(manPage(program, version)));
  // Loaded only where it is asked for.
  if (argv[2] === COMPLETE || argv[2] === COMPLETION) {
    const { default: addCompletion } = await import("@bomb.sh/tab/commander");
    addCompletion(program, { completionCommandName: COMPLETION });
    if (argv[2] === COMPLETE) offerFiles();
    return;
  }
  program
    .command(COMPLETION)
    .description("print what has a shell complete commands and options: source <(tvix-store completion bash)")
    .addArgument(new Argument("<shell>").choices(SHELLS));
}
