/** What a generator makes: whoever asked decides where it goes. */
export interface ClientFile {
  /** A name, without directories. */
  readonly path: string
  readonly text: string
}
