import type { Command } from "commander";
import { addDiffCommand } from "./diff-command.ts";
import { addDuCommand } from "./du-command.ts";
import { addFindCommand } from "./find-command.ts";
import { addLsCommand } from "./ls-command.ts";
import { addWhyCommand } from "./why-command.ts";

/** Commands that look into a store, and change nothing. */
export function addLookCommands(program: Command): void {
  addLsCommand(program);
  addFindCommand(program);
  addDuCommand(program);
  addDiffCommand(program);
  addWhyCommand(program);
}
