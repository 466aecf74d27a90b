import type { Logger } from "pino";
import type { RunningServer } from "../server.ts";
import { accessOf, warnOfAccess } from "./access.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/** Options that a running daemon can change; certificates and tokens are read again when their files change. */
const RELOADABLE = new Set(["logLevel", "reads", "writes", "tokenFile", "oidcRules", "allowedHost"]);

/** The settings of a daemon that runs. */
export class ReloadableSettings {
  readonly #server: RunningServer;
  readonly #log: Logger;
  #options: DaemonOptions;

  constructor(options: DaemonOptions, server: RunningServer, log: Logger) {
    this.#options = options;
    this.#server = server;
    this.#log = log;
  }

  /** Takes up what has changed; where that is wrong all stays as it was. */
  reload(reread: () => DaemonOptions): void {
    try {
      const options = { ...reread() };
      const access = accessOf(options, this.#log);
      this.#log.level = options.logLevel;
      this.#server.setAccess(access);
      warnOfAccess(options, access, this.#server.addresses, this.#log);
      const lasting = changedBetween(this.#options, options).filter((name) => !RELOADABLE.has(name));
      // What needs a restart is told again until it has been.
      for (const name of lasting) {
        this.#log.warn({ setting: settingName(name) }, "a changed setting needs a restart");
      }
      const kept = Object.fromEntries(
        lasting.map((name) => [name, this.#options[name as keyof DaemonOptions]]),
      );
      this.#options = { ...options, ...kept };
      this.#log.info("the settings were read again");
    } catch (error) {
      this.#log.error({ err: error }, "the changed settings are not taken up");
    }
  }
}

function changedBetween(before: DaemonOptions, now: DaemonOptions): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  const textOf = (options: DaemonOptions, name: string) =>
    JSON.stringify(options[name as keyof DaemonOptions], shown);
  return [...names].filter((name) => textOf(before, name) !== textOf(now, name));
}

/** Values of classes, such as keys, as their text: their fields are hidden. */
function shown(_: string, value: unknown): unknown {
  const isOfClass = typeof value === "object" && value !== null && !isPlain(value);
  return isOfClass || typeof value === "bigint" ? String(value) : value;
}

function isPlain(value: object): boolean {
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

function settingName(attribute: string): string {
  return attribute.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
