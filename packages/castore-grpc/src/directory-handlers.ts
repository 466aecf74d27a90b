import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  B3Digest,
  CastoreError,
  type Directory,
  type DirectoryMessage,
  type DirectoryService,
  parseDirectory,
} from "@tvix/castore";
import { formatEntries } from "@tvix/castore/backend";
import type { DirectoryService as DirectoryServiceDesc } from "@tvix/protocol/tvix/castore";
import { operationOf } from "./caller.ts";
import { untilComplete } from "./request-completeness.ts";
import { toConnectError } from "./status.ts";

/**
 * The DirectoryService of the protocol over one of ours.
 *
 * Whatever is wrong with what a client sends is INVALID_ARGUMENT, and the message tells
 * which directory of the stream, which field and which value. An unknown root is NOT_FOUND,
 * or an empty stream where the whole tree was asked for: clients depend on that.
 */
export function directoryHandlers(directories: DirectoryService): ServiceImpl<typeof DirectoryServiceDesc> {
  return {
    async *get({ byWhat, recursive }, context) {
      try {
        if (byWhat.case !== "digest")
          throw new ConnectError("invalid by_what: not set", Code.InvalidArgument);
        const digest = B3Digest.from(byWhat.value);
        if (recursive) {
          for await (const directory of directories.getRecursive(digest, operationOf(context))) {
            yield formatEntries(directory.entries);
          }
          return;
        }
        const directory = await directories.get(digest, operationOf(context));
        if (directory === undefined) {
          throw new ConnectError(`directory ${digest} not found`, Code.NotFound);
        }
        yield formatEntries(directory.entries);
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },

    async put(messages, context) {
      try {
        const root = await directories.putMany(
          parseAll(untilComplete(messages, context)),
          operationOf(context),
        );
        return { rootDigest: root.bytes };
      } catch (error) {
        throw toConnectError(error, context.signal);
      }
    },
  };
}

/** Parses each message; an error tells its place in the stream. */
async function* parseAll(messages: AsyncIterable<DirectoryMessage>): AsyncIterable<Directory> {
  let position = 0;
  for await (const message of messages) {
    try {
      yield parseDirectory(message);
    } catch (cause) {
      if (!CastoreError.is(cause)) throw cause;
      const { code, message: text, subject } = cause;
      throw new CastoreError(code, `directory #${position}: ${text}`, {
        cause,
        ...(subject === undefined ? {} : { subject }),
      });
    }
    position++;
  }
}
