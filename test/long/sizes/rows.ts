import { afterAll } from "vitest";

/** A row of the table. */
export interface Row {
  readonly what: string;
  readonly door: string;
  readonly step: string;
  readonly seconds: number;
  readonly command: number;
  readonly daemon: number | undefined;
}

const rows: Row[] = [];

/** Adds a row to the table, which is printed at the end of the file of tests. */
export function addRow(row: Row): void {
  rows.push(row);
}

afterAll(() => {
  const cells = rows.map(({ what, door, step, seconds, command, daemon }) =>
    [
      what.padEnd(20),
      door.padEnd(8),
      step.padEnd(11),
      seconds.toFixed(1).padStart(7),
      command.toFixed(0).padStart(8),
      (daemon?.toFixed(0) ?? "-").padStart(7),
    ].join(" "),
  );
  const head = `${"what".padEnd(20)} door     step        seconds  command  daemon (MiB of their own)`;
  console.log([head, ...cells].join("\n"));
});
