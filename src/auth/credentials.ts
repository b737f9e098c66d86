/** Who may use the mailbox store, and whose mail is local. `db` fulfils all of these. */
export interface Account {
  readonly id: number
  /** The mail address, also the login name; lower case. The one authorization id of IMAP and Submit (SA-18). */
  readonly address: string
}

export interface Credentials {
  /**
   * The account, or undefined when name or password is wrong. Takes the same time either way (no user enumeration).
   * @throws Fault 'unavailable' when the directory cannot be asked
   */
  verify(user: string, password: string): Promise<Account | undefined>
}

/** What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3): enough to check, not enough to log in with. */
export interface ScramKeys {
  readonly salt: Uint8Array
  readonly iterations: number
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
}

export interface ScramVerifiers {
  /** undefined: no such user, or one whose password was set before SCRAM keys were kept. */
  scram(user: string): Promise<{ readonly account: Account; readonly keys: ScramKeys } | undefined>
}

export interface Directory {
  /** The account whose address this is (domain and local part compared without case). */
  find(address: string): Promise<Account | undefined>
  list(): Promise<readonly Account[]>
  /**
   * Creates the account with INBOX, or changes its password and with it revokes the session tokens. True: it was new.
   * @throws Fault 'malformed' for an address or a password that SASLprep forbids (RFC 4013 §2.3)
   */
  put(address: string, password: string): Promise<boolean>
  remove(address: string): Promise<boolean>
}
