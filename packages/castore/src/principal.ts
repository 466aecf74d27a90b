/** Who asks for something, as far as services make a difference. */
export interface Principal {
  /** What logs and messages call it; no secret. */
  readonly name: string;
  /** Whether it may put other things in the place of what is there under a name. */
  readonly mayReplace: boolean;
  /** What the names of store paths have to begin with for it to tell of them; undefined for any. */
  readonly pathPrefix: string | undefined;
}
