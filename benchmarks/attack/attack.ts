/** A daemon that is attacked. */
export interface Target {
  readonly url: string;
  readonly port: number;
  /** Digest of a blob of 16 MiB that is there. */
  readonly digest: Uint8Array;
}

/** What somebody does who means no good. */
export interface Attack {
  readonly name: string;
  /** Whether it is only for `pnpm bench attack`: it takes minutes, or moves gigabytes. */
  readonly isLong?: boolean;
  /** Options of the daemon, beside its memory. */
  readonly options?: readonly string[];
  /**
   * Does it until the daemon has ended it all.
   *
   * @param scale how much of it; 1 is for tests
   */
  run(target: Target, scale: number): Promise<void>;
}
