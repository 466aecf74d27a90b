import type { Command } from "commander";
export function addCastoreCommands(program: Command): void { void program; }
