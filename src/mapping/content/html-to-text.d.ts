/** html-to-text ships no types: what of it is used here. */
declare module 'html-to-text' {
  export interface DomNode {
    readonly attribs?: Readonly<Record<string, string>>
    readonly children: readonly DomNode[]
  }
  export interface TextBuilder {
    addInline(text: string): void
    addLiteral(text: string): void
  }
  export type Formatter = (
    node: DomNode,
    walk: (children: readonly DomNode[], builder: TextBuilder) => void,
    builder: TextBuilder,
  ) => void
  export function compile(options: {
    readonly wordwrap: false
    readonly limits: Readonly<Record<string, number | string>>
    readonly selectors: readonly {
      readonly selector: string
      readonly format?: string
      readonly options?: object
    }[]
    readonly formatters: Readonly<Record<string, Formatter>>
  }): (html: string) => string
}
