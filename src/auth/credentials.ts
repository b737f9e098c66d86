/** Who may use the mailbox store, and whose mail is local. `db` fulfils both. */
export interface Account {
  readonly id: number
  /** The mail address, also the login name; lower case. */
  readonly address: string
}

export interface Credentials {
  /**
   * The account, or undefined when name or password is wrong. Takes the same time either way (no user enumeration).
   */
  verify(user: string, password: string): Promise<Account | undefined>
}

export interface Directory {
  /** The account whose address this is (domain and local part compared without case). */
  find(address: string): Promise<Account | undefined>
  list(): Promise<readonly Account[]>
  /** Creates the account with INBOX, or changes its password. True: it was new. */
  put(address: string, password: string): Promise<boolean>
  remove(address: string): Promise<boolean>
}
