import { type AST, getStaticTOMLValue, ParseError, parseTOML } from "toml-eslint-parser";

/** A place in a text: lines and columns are counted from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Something wrong in a text, and where. */
export interface Mistake extends Place {
  readonly text: string;
}

/** What a setting may be. */
export type SettingValue = string | number | boolean | readonly (string | number)[];

/** A key with its value, and where it stands. */
export interface Setting extends Place {
  /** The names of its tables, and its own. */
  readonly path: readonly string[];
  /** Undefined for what no setting can be, such as a date or a table. */
  readonly value: SettingValue | undefined;
}

/**
 * All of a text in TOML.
 *
 * @param path of the text, for messages
 * @throws Error that names the file and the place
 */
export function parseTomlTables(text: string, path: string): Readonly<Record<string, unknown>> {
  try {
    return getStaticTOMLValue(parseTOML(text, VERSION)) as Record<string, unknown>;
  } catch (cause) {
    if (!(cause instanceof ParseError)) throw cause;
    throw new Error(`${path}:${cause.lineNumber}:${cause.column + 1}: ${cause.message}`, { cause });
  }
}

const VERSION = { tomlVersion: "1.0" } as const;

/** What a text in TOML sets, or its first mistake. */
export function readToml(text: string): { settings: readonly Setting[]; mistakes: readonly Mistake[] } {
  try {
    const [table] = parseTOML(text, VERSION).body;
    return { settings: table.body.flatMap((node) => settingsOf(node)), mistakes: [] };
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const { lineNumber: line, column, message } = error;
    return { settings: [], mistakes: [{ line, column: column + 1, text: message }] };
  }
}

function settingsOf(node: AST.TOMLKeyValue | AST.TOMLTable): readonly Setting[] {
  if (node.type === "TOMLKeyValue") return [settingOf(node, [])];
  const names = node.resolvedKey.map(String);
  return node.body.map((below) => settingOf(below, names));
}

function settingOf({ key, value, loc }: AST.TOMLKeyValue, above: readonly string[]): Setting {
  const names = key.keys.map((part) => (part.type === "TOMLBare" ? part.name : part.value));
  const { line, column } = loc.start;
  return { path: [...above, ...names], value: settingValue(value), line, column: column + 1 };
}

function settingValue(node: AST.TOMLContentNode): SettingValue | undefined {
  if (node.type === "TOMLArray") {
    const values = node.elements.map(settingValue);
    return values.every(isPlain) ? values : undefined;
  }
  if (node.type !== "TOMLValue") return undefined;
  if (node.kind === "string" || node.kind === "boolean" || node.kind === "integer") return node.value;
  return undefined;
}

function isPlain(value: SettingValue | undefined): value is string | number {
  return typeof value === "string" || typeof value === "number";
}
