import { parsePostgresAddress } from "@tvix/castore-postgres/address";
import { parseS3Address } from "@tvix/castore-s3/address";
import { Option } from "commander";
import { parsedSecret } from "./repeatable.ts";

/** Where the records of a store are that several servers share. */
export function recordsOption(): Option {
  const description = "a store that several servers share: its records, at postgres://user@host/database";
  const option = new Option("--records <address>", description).env("TVIX_STORE_RECORDS");
  return option.argParser((text) => parsedSecret(option.flags, text, checked(parsePostgresAddress)));
}

/** Where its longer chunks are. */
export function extentsOption(): Option {
  const description = "and its longer chunks, at s3://bucket/prefix?endpoint=URL; default with the records";
  const option = new Option("--extents <address>", description).env("TVIX_STORE_EXTENTS");
  return option.argParser((text) => parsedSecret(option.flags, text, checked(parseS3Address)));
}

function checked(parse: (text: string) => unknown): (text: string) => string {
  return (text) => {
    parse(text);
    return text;
  };
}
