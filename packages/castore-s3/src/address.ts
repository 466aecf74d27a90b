/** Where the extents of a store are. */
export interface S3Address {
  /** The address, for people: there is no secret in it. */
  toString(): string;
  readonly bucket: string;
  /** What the names of objects begin with: empty, or with a slash at the end. */
  readonly prefix: string;
  /** Of a store that is not Amazon's. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  /** Whether the bucket stands in the path and not in the name of the host. */
  readonly isPathStyle: boolean;
  /** Of the files of `~/.aws`. */
  readonly profile: string | undefined;
  /** Whether objects that lie there are taken over by a database that knows none: for one whose records were lost. */
  readonly adopts: boolean;
}

const PARAMETERS = ["endpoint", "region", "path-style", "profile", "adopt"];

/**
 * Reads `s3://bucket[/prefix][?endpoint=…&region=…&path-style=0|1&profile=…&adopt=1]`. With an endpoint the bucket stands in the path
 * unless `path-style=0`. Who we are comes from the environment (`AWS_ACCESS_KEY_ID`, …), the files of `~/.aws`, or the
 * machine we run on, as with every program of Amazon's.
 *
 * @throws RangeError that names the part that is wrong
 */
export function parseS3Address(text: string): S3Address {
  const url = URL.parse(text);
  if (url === null || url.protocol !== "s3:") throw new RangeError("expected s3://bucket/prefix");
  if (url.username !== "" || url.password !== "") {
    throw new RangeError(
      "keys do not stand in the address, but in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    );
  }
  if (url.port !== "" || url.hash !== "") throw new RangeError("neither a port nor a # may stand in it");
  const bucket = url.hostname;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket)) {
    throw new RangeError("the name of a bucket has 3 to 63 letters a to z, digits, dots and hyphens");
  }
  for (const name of url.searchParams.keys()) {
    if (PARAMETERS.includes(name)) continue;
    throw new RangeError(`there is no parameter ${JSON.stringify(name)}; there are ${PARAMETERS.join(", ")}`);
  }
  const endpoint = url.searchParams.get("endpoint") ?? undefined;
  if (endpoint !== undefined) checkEndpoint(endpoint);
  const pathStyle = url.searchParams.get("path-style") ?? (endpoint === undefined ? "0" : "1");
  if (pathStyle !== "0" && pathStyle !== "1") throw new RangeError("path-style is 0 or 1");
  const adopt = url.searchParams.get("adopt") ?? "0";
  if (adopt !== "0" && adopt !== "1") throw new RangeError("adopt is 0 or 1");
  const prefix = pathOf(url).replace(/^\/+|\/+$/g, "");
  return {
    toString: () => text,
    bucket,
    prefix: prefix === "" ? "" : `${prefix}/`,
    endpoint,
    region: url.searchParams.get("region") ?? undefined,
    isPathStyle: pathStyle === "1",
    profile: url.searchParams.get("profile") ?? undefined,
    adopts: adopt === "1",
  };
}

function pathOf({ pathname }: URL): string {
  try {
    return decodeURIComponent(pathname);
  } catch (cause) {
    throw new RangeError("a % in the prefix is followed by two hexadecimal digits", { cause });
  }
}

function checkEndpoint(endpoint: string): void {
  const url = URL.parse(endpoint);
  const isPlain = url !== null && url.username === "" && url.password === "" && url.search === "";
  if (isPlain && (url.protocol === "http:" || url.protocol === "https:")) return;
  throw new RangeError("the endpoint is an address such as https://host:port, without a user");
}
