/** Through which proxies to ask. */
export interface Proxies {
  /** Proxy for addresses of `http:`; none where it is absent. */
  readonly httpProxy?: string;
  /** The same for `https:`. */
  readonly httpsProxy?: string;
  /** What goes over plain HTTP is asked of the proxy itself: many let nothing but TLS through a tunnel. */
  readonly proxyTunnel: false;
}

/**
 * The proxies that an environment names, in the variables that curl and Nix read: in small letters
 * or capitals, with or without a scheme.
 *
 * @throws Error that names the variable whose value is no address
 */
export function proxiesOf(environment: Readonly<Record<string, string | undefined>>): Proxies {
  const proxyOf = (...names: readonly string[]): string | undefined => {
    for (const name of names.flatMap((one) => [one, one.toUpperCase()])) {
      const value = environment[name];
      if (value !== undefined && value !== "") return proxyAddress(name, value);
    }
    return undefined;
  };
  const httpProxy = proxyOf("http_proxy", "all_proxy");
  const httpsProxy = proxyOf("https_proxy", "all_proxy");
  return {
    ...(httpProxy === undefined ? {} : { httpProxy }),
    ...(httpsProxy === undefined ? {} : { httpsProxy }),
    proxyTunnel: false,
  };
}

function proxyAddress(variable: string, value: string): string {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.parse(text);
  if (url !== null && url.host !== "" && ["http:", "https:", "socks5:", "socks:"].includes(url.protocol)) {
    return text;
  }
  throw new Error(`${variable} names no proxy: expected such as http://proxy.example:3128`);
}
