import type { SettingValue } from "../config/toml.ts";
import type { Part } from "./entry.ts";
import type { ServiceKind } from "./service-kind.ts";

/** How the value of a key is read. */
export interface Key<T> {
  readonly isRequired: boolean;
  /**
   * @param value undefined where the key is not given; never for one that is required
   * @throws RangeError that says what is expected
   */
  read(value: SettingValue | undefined): T;
}

/** The keys of a table, and what is read from it. */
export type Keys<C> = { readonly [N in keyof C]: Key<C[N]> };

/** What is wrong with the keys of a table. */
export class KeyError extends Error {
  /** The one at fault; undefined where one is missing. */
  readonly key: string | undefined;

  constructor(key: string | undefined, message: string) {
    super(message);
    this.key = key;
  }
}

/** A key that has to be given. */
export function required<T>(read: (value: SettingValue) => T): Key<T> {
  return { isRequired: true, read: (value) => read(value as SettingValue) };
}

/** One that need not be. */
export function optional<T>(read: (value: SettingValue) => T): Key<T | undefined> {
  return { isRequired: false, read: (value) => (value === undefined ? undefined : read(value)) };
}

/** A text that is not empty. */
export function text(value: SettingValue): string {
  if (typeof value === "string" && value !== "") return value;
  throw new RangeError("expected a text");
}

/** A list of texts. */
export function texts(value: SettingValue): readonly string[] {
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value;
  throw new RangeError("expected a list of texts");
}

/** A whole number from `least` to `most`. */
export function wholeNumber(least: number, most: number): (value: SettingValue) => number {
  return (value) => {
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    throw new RangeError(`expected a whole number from ${least} to ${most}`);
  };
}

/** One of some texts. */
export function oneOf<T extends string>(...choices: readonly T[]): (value: SettingValue) => T {
  return (value) => {
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    throw new RangeError(`expected ${choices.map((choice) => JSON.stringify(choice)).join(" or ")}`);
  };
}

/** Another service of a kind: its name, or an address. */
export function service<K extends ServiceKind>(
  kind: K,
  ofAddress: (kind: K, address: string) => Part<K>,
): (value: SettingValue) => Part<K> {
  return (value) => {
    const name = text(value);
    return name.includes("://") ? ofAddress(kind, name) : { kind, name };
  };
}

/** Other names of keys, such as an older version had. */
export type KeyAliases<C> = Readonly<Record<string, keyof C & string>>;

/** A table: its keys with their values, undefined for what no setting can be. */
export type Table = ReadonlyMap<string, SettingValue | undefined>;

/** What reads a table with some keys; it throws KeyError for the first that is wrong, missing or unknown. */
export function tableOf<C extends object>(keys: Keys<C>, aliases: KeyAliases<C> = {}): (table: Table) => C {
  return (table) => readKeys(keys, aliases, table);
}

function readKeys<C extends object>(keys: Keys<C>, aliases: KeyAliases<C>, given: Table): C {
  const table = new Map<keyof C & string, SettingValue | undefined>();
  for (const [name, value] of given) {
    const key = aliases[name] ?? (name as keyof C & string);
    if (!(key in keys)) throw new KeyError(name, unknownKey(name, Object.keys(keys)));
    if (table.has(key)) throw new KeyError(name, `${name} is ${key}, which is given as well`);
    table.set(key, value);
  }
  const config: Record<string, unknown> = {};
  for (const [name, key] of Object.entries(keys) as [keyof C & string, Key<unknown>][]) {
    if (key.isRequired && !table.has(name)) throw new KeyError(undefined, `${name} is missing`);
    const value = table.get(name);
    if (table.has(name) && value === undefined)
      throw new KeyError(name, `${name}: expected no table and no date`);
    try {
      config[name] = key.read(value);
    } catch (cause) {
      if (!(cause instanceof RangeError || cause instanceof TypeError)) throw cause;
      throw new KeyError(name, `${name}: ${cause.message}`);
    }
  }
  return config as C;
}

function unknownKey(name: string, known: readonly string[]): string {
  return known.length === 0
    ? `there are no keys beside type, so no ${JSON.stringify(name)}`
    : `there is no key ${JSON.stringify(name)}; there are ${known.join(", ")}`;
}
