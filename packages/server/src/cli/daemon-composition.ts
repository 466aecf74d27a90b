import { resolve } from "node:path";
import type { Composition } from "../compose/composition.ts";
import { compositionOfAddresses, dataDirectoryAddress } from "../compose/from-addresses.ts";
import { inFrontOf } from "../compose/in-front-of.ts";
import { addressOfSharedStore } from "../compose/shared-store-address.ts";
import { compositionOfFile } from "./composition-file.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { UsageError } from "./repeatable.ts";

/**
 * What the store of a daemon is made of: what a file says; or services at addresses, those in the data
 * directory, or in the store that is shared, for which none is given, in front of the stores that are upstream.
 */
export function daemonComposition(options: DaemonOptions): Composition {
  const { records, extents } = options;
  if (extents !== undefined && records === undefined) {
    throw new UsageError(
      "option '--extents' is for a store whose records are shared too: say where, with --records",
    );
  }
  const here =
    records === undefined
      ? dataDirectoryAddress(resolve(options.data))
      : addressOfSharedStore(records, extents);
  const local =
    compositionOfFile(options) ??
    compositionOfAddresses({
      blob: options.blobServiceAddr ?? here,
      directory: options.directoryServiceAddr ?? here,
      "path-info": options.pathInfoServiceAddr ?? here,
    });
  const stores = (options.upstream ?? []).flatMap((one) => (one.type === "store" ? [one.address] : []));
  return inFrontOf({ local, stores });
}

/** Whether all of the store lies in the data directory, or in what it shares with others, whatever is asked for what is not there. */
export function liesInDataDirectory(options: DaemonOptions): boolean {
  const { blobServiceAddr, directoryServiceAddr, pathInfoServiceAddr } = options;
  const isElsewhere = [blobServiceAddr, directoryServiceAddr, pathInfoServiceAddr].some(
    (one) => one !== undefined,
  );
  return !isElsewhere && compositionOfFile(options) === undefined;
}
