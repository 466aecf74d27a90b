import type { Argument, Command, Option } from "commander";
import { examplesOf, fullName } from "./examples.ts";

/** Exit statuses and variables that no command tells of itself. */
const EXIT_STATUS: readonly (readonly [string, string])[] = [
  ["0", "success"],
  ["1", "a failure, which is told on standard error; or what was looked for is not there, or differs"],
  ["2", "wrong usage"],
];

/** The manual page of a program, made of what its commands say of themselves: man(7), for section 1. */
export function manPage(program: Command, version: string): string {
  const commands = leavesOf(program).filter((command) => command !== program);
  const lines = [
    `.TH ${program.name().toUpperCase()} 1 "" "${program.name()} ${version}"`,
    ".SH NAME",
    `${escaped(program.name())} \\- ${escaped(program.description())}`,
    ".SH SYNOPSIS",
    `.B ${escaped(program.name())}`,
    "[options] command [arguments]",
    ".SH COMMANDS",
    ...commands.flatMap(sectionOf),
    ".SH OPTIONS OF EVERY COMMAND",
    ...optionsOf(program).flatMap(optionLines),
    ".SH EXIT STATUS",
    ...EXIT_STATUS.flatMap(([status, text]) => [".TP", `.B ${status}`, escaped(text)]),
    ".SH ENVIRONMENT",
    "Options take their values from these variables where the command line says nothing:",
    ...variablesOf(commands).flatMap(([name, text]) => [".TP", `.B ${name}`, escaped(text)]),
  ];
  return `${lines.join("\n")}\n`;
}

function sectionOf(command: Command): readonly string[] {
  const usage = [fullName(command), ...command.registeredArguments.map(argumentText)].join(" ");
  return [
    `.SS ${escaped(usage)}`,
    escaped(command.description()),
    ...command.registeredArguments
      .filter(({ description }) => description !== "")
      .flatMap((argument) => [".TP", `.I ${escaped(argument.name())}`, escaped(argument.description)]),
    ...optionsOf(command).flatMap(optionLines),
    ...exampleLines(command),
  ];
}

function exampleLines(command: Command): readonly string[] {
  const examples = examplesOf(command);
  return examples.length === 0 ? [] : [".PP", ".EX", ...examples.map(escaped), ".EE"];
}

function optionLines(option: Option): readonly string[] {
  const { flags, description, argChoices, defaultValue, defaultValueDescription, envVar } = option;
  const isTold = typeof defaultValue === "string" || typeof defaultValue === "number";
  const more = [
    ...(argChoices === undefined ? [] : [`one of ${argChoices.join(", ")}`]),
    ...(defaultValueDescription !== undefined || isTold
      ? [`default ${defaultValueDescription ?? defaultValue}`]
      : []),
    ...(envVar === undefined ? [] : [`variable ${envVar}`]),
  ];
  return [".TP", `.B ${escaped(flags)}`, escaped([description, ...more].filter(Boolean).join("; "))];
}

function argumentText(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
  return argument.required ? name : `[${name}]`;
}

function optionsOf(command: Command): readonly Option[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long !== "--help");
}

/** Commands that do something themselves, in the order of the help. */
function leavesOf(command: Command): readonly Command[] {
  const below = command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== "help");
  return below.length === 0 ? [command] : below.flatMap(leavesOf);
}

function variablesOf(commands: readonly Command[]): readonly (readonly [string, string])[] {
  const variables = new Map<string, string>();
  for (const command of commands) {
    for (const { envVar, long } of optionsOf(command)) {
      if (envVar !== undefined && !variables.has(envVar)) variables.set(envVar, `for ${long}`);
    }
  }
  return [...variables].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Text as roff has it: no line begins with a control character, dashes are dashes. */
function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "...")
    .replaceAll(/\s*\n\s*/g, " ")
    .replace(/^([.'])/, "\\&$1");
}
