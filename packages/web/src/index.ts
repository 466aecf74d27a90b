/**
 * Where the files of the page are: `index.html` and `assets/`, which are served below `/web/`. A folder of this package,
 * with a slash at its end.
 */
export const PAGE_FOLDER: URL = new URL("./page/", import.meta.url);

/**
 * What the page may do in a browser: run and show its own files, and ask the server that it came from. Nothing is
 * loaded from elsewhere.
 */
export const PAGE_SECURITY_POLICY: string = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");
