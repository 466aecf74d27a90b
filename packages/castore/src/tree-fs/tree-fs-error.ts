import { CodedError, isCodedError } from "@tvix/byte-stream";

/** Why a path cannot be used, as `node:fs` calls it; `docs/errors.md` tells when each occurs. */
export const TREE_FS_ERROR_CODES = ["ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "EINVAL", "EFBIG"] as const;

/** One of {@link TREE_FS_ERROR_CODES}. */
export type TreeFsErrorCode = (typeof TREE_FS_ERROR_CODES)[number];

/** A path in a tree that cannot be used so; failures of the services are theirs. */
export class TreeFsError extends CodedError<TreeFsErrorCode> {
  override readonly name = "TreeFsError";
  /** As it was given. */
  readonly path: string;

  constructor(code: TreeFsErrorCode, text: string, path: string) {
    super(code, `${code}: ${text}: ${JSON.stringify(path)}`);
    this.path = path;
  }

  /** True for any TreeFsError, also one of another copy of this package. */
  static is(value: unknown): value is TreeFsError {
    return isCodedError(value, "TreeFsError");
  }
}
