/** Strings as SEARCH compares them: without case. */
export const fold = (text: string): string => text.normalize('NFKD').toUpperCase()
