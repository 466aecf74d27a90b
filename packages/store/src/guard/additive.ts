import type { OperationOptions, Principal } from "@tvix/castore";
import type { Signature } from "@tvix/narinfo";
import { StoreError } from "../errors/store-error.ts";
import type { PathInfo } from "../path-info/path-info.ts";
import type { PathInfoClaim, PathInfoService, PutPathInfoOptions } from "../path-info/path-info-service.ts";
import { getIntact } from "../path-info/reconcile.ts";

/**
 * Holds what a principal may do with path infos:
 *
 * - It may tell of paths whose names begin with its prefix, where it has one.
 * - Where a path info is there, one of the same path, NAR (hash and size) and references adds its signatures,
 *   and nothing else of it counts. Any other is refused, unless the principal may replace. Of one digest there
 *   is one path: one of another name is another one in its place.
 *
 * A principal that may replace puts its own in the place of what is there, with the signatures of both
 * where they are over the same. The program itself, which is no principal, is not held up.
 */
export class AdditivePathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  #hasReconciled = false;

  constructor(inner: PathInfoService) {
    this.#inner = inner;
  }

  get(digest: Uint8Array, options: OperationOptions = {}): Promise<PathInfo | undefined> {
    return this.#inner.get(digest, options);
  }

  /** @throws StoreError FORBIDDEN for another prefix; CONFLICT when another path info is there */
  async put(info: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    const { principal } = options;
    if (principal === undefined) return await this.#inner.put(info, options);
    checkPrefix(info, principal);
    // One that knows no reconciling would replace what it should not, and has to show first that it does.
    if (!this.#hasReconciled) await this.checkPut(info, options);
    let isReconciled = false;
    const before = options.reconcile ?? ((_, put) => put);
    const stored = await this.#inner.put(info, {
      ...options,
      reconcile(known, put) {
        isReconciled = true;
        const mine = before(known, put);
        return known === undefined ? mine : united(known, mine, principal);
      },
    });
    if (!isReconciled) throw new Error("the service of path infos does not reconcile what is put");
    this.#hasReconciled = true;
    return stored;
  }

  async checkPut(claim: PathInfoClaim, options: OperationOptions = {}): Promise<void> {
    const { principal } = options;
    if (principal !== undefined) {
      checkPrefix(claim, principal);
      const known = await getIntact(this.#inner, claim.storePath.digest, options);
      if (known !== undefined && !isSame(known, claim)) checkReplaces(known, claim, principal);
    }
    await this.#inner.checkPut?.(claim, options);
  }

  list(options: OperationOptions = {}): AsyncIterable<PathInfo> {
    return this.#inner.list(options);
  }
}

/** Signatures that one path info gathers: who may only add cannot make it grow for ever. */
const MAX_SIGNATURES = 100;

function checkPrefix({ storePath }: PathInfoClaim, { name, pathPrefix }: Principal): void {
  if (pathPrefix === undefined || storePath.name.startsWith(pathPrefix)) return;
  const text = `${name} may only tell of paths whose names begin with ${JSON.stringify(pathPrefix)}`;
  throw new StoreError("FORBIDDEN", `${text}, not of ${storePath}`);
}

function checkReplaces(known: PathInfo, { storePath }: PathInfoClaim, principal: Principal): void {
  checkPrefix(known, principal);
  if (principal.mayReplace) return;
  const what = known.storePath.equals(storePath)
    ? `${storePath} is here with other contents`
    : `${known.storePath} is here, which has the digest of ${storePath}`;
  throw new StoreError("CONFLICT", `${what}, and ${principal.name} may only add`);
}

function united(known: PathInfo, info: PathInfo, principal: Principal): PathInfo {
  if (!isSame(known, info)) checkReplaces(known, info, principal);
  if (principal.mayReplace) return { ...info, signatures: unitedSignatures(info, known) };
  const signatures = unitedSignatures(known, info);
  // A signature that is not kept is not acknowledged.
  const lost = info.signatures.find((one) => !signatures.some((kept) => kept.equals(one)));
  if (lost === undefined) return { ...known, signatures };
  const text = `${info.storePath} has ${MAX_SIGNATURES} signatures, and gets no more: not that of ${lost.name}`;
  throw new StoreError("CONFLICT", text);
}

/** The signatures of a path info, and those of another one of the same path that are over the same. */
export function unitedSignatures(info: PathInfo, other: PathInfo): readonly Signature[] {
  if (!isSame(info, other)) return info.signatures;
  const more = other.signatures.filter((added) => !info.signatures.some((known) => known.equals(added)));
  return [...info.signatures, ...more].slice(0, MAX_SIGNATURES);
}

/** Whether signatures over the one are over the other. */
function isSame(one: PathInfoClaim, other: PathInfoClaim): boolean {
  const referencesOf = ({ references }: PathInfoClaim) => references.map(String).sort().join();
  return (
    one.storePath.equals(other.storePath) &&
    one.narHash.equals(other.narHash) &&
    one.narSize === other.narSize &&
    referencesOf(one) === referencesOf(other)
  );
}
