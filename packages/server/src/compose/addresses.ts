/**
 * What addresses of services have in common: nothing may follow that is not understood.
 *
 * @throws RangeError that names the part
 */
export function checkAddress(
  url: URL,
  allowed: { readonly host?: boolean; readonly path?: boolean; readonly parameters?: readonly string[] },
): void {
  const refuse = (why: string) => {
    throw new RangeError(why);
  };
  if (url.username !== "" || url.password !== "") refuse("no user may stand in it");
  if (allowed.host !== true && url.host !== "")
    refuse(`host may not be set, and it is ${JSON.stringify(url.host)}`);
  if (allowed.path !== true && url.pathname !== "") {
    refuse(`path may not be set, and it is ${JSON.stringify(url.pathname)}`);
  }
  if (url.hash !== "") refuse("nothing may follow a #");
  const { parameters = [] } = allowed;
  for (const name of url.searchParams.keys()) {
    if (parameters.includes(name)) continue;
    const known = parameters.length === 0 ? "there are none" : `there are ${parameters.join(", ")}`;
    refuse(`there is no parameter ${JSON.stringify(name)}; ${known}`);
  }
}

/** `memory://`: nothing else can be said of it. */
export function memoryAddress(url: URL): Record<never, never> {
  checkAddress(url, {});
  return {};
}

/** `level:///path`: a data directory. */
export function levelAddress(url: URL): { readonly path: string } {
  checkAddress(url, { path: true });
  const path = filePathOf(url);
  if (path === "") throw new RangeError("the path of the data directory is missing");
  if (path === "/") throw new RangeError("the path of a data directory is not /");
  return { path };
}

/**
 * The path of a file that an address has, without its escapes.
 *
 * @throws RangeError when they are none
 */
export function filePathOf({ pathname }: URL): string {
  try {
    return decodeURIComponent(pathname);
  } catch (cause) {
    throw new RangeError("a % in the path is followed by two hexadecimal digits, and %25 stands for itself", {
      cause,
    });
  }
}

/** A parameter that has to be there. */
export function parameter(url: URL, name: string): string {
  const value = url.searchParams.get(name);
  if (value === null || value === "") throw new RangeError(`the parameter ${name} is missing`);
  return value;
}
