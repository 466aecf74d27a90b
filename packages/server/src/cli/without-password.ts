/** An address, and those in its parameters, without passwords. */
export function withoutPassword(address: string): string {
  return address
    .replace(/(:\/\/[^:/@]*):[^@/]*@/g, "$1:***@")
    .replace(/(%3A%2F%2F[^%]*%3A).*?(%40)/gi, "$1***$2")
    .replace(/([?&]password=)[^&]*/g, "$1***");
}
