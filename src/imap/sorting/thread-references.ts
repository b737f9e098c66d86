/** THREAD=REFERENCES (RFC 5256 §3; SO-12): the six steps, in the order and the words of the RFC. */
import type { OctetString } from '../../model/units.ts'
import type { Paced } from '../turns.ts'
import { Forest } from './forest.ts'
import { pacedSort } from './paced-sort.ts'
import { messagesAtOnce, type Thread, type ThreadMessage } from './thread.ts'

/** Chains of references between two pauses: each may have hundreds. */
const referencesAtOnce = 100

/** A thread while it is built. */
interface Node {
  /** undefined: a dummy. */
  message: ThreadMessage | undefined
  children: Node[]
}

export function* threadByReferences(messages: readonly ThreadMessage[]): Paced<Thread[]> {
  const linked = yield* linkReferences(messages)
  const heads = yield* mergeSubjects(yield* sortTop(yield* pruned(linked)))
  return yield* sortSiblings(heads)
}

interface Linked {
  /** By node. The messages come first, in their order; then the dummies. */
  readonly parents: Int32Array
  readonly messages: readonly ThreadMessage[]
  readonly nodes: number
}

/** Step 1. */
function* linkReferences(messages: readonly ThreadMessage[]): Paced<Linked> {
  const nodeOf = new Map<string, number>()
  // Of two messages with one Message-ID only the first has it; the other, like one without, is nobody's reference.
  for (const [node, message] of messages.entries()) {
    if (node % messagesAtOnce === 0) yield
    if (message.messageId === null) continue
    const id = normalizedId(message.messageId)
    if (!nodeOf.has(id)) nodeOf.set(id, node)
  }
  let dummies = 0
  const nodeFor = (reference: string): number => {
    const id = normalizedId(reference)
    const known = nodeOf.get(id)
    if (known !== undefined) return known
    const dummy = messages.length + dummies
    dummies += 1
    nodeOf.set(id, dummy)
    return dummy
  }
  const references: number[][] = []
  for (const message of messages) {
    if (references.length % referencesAtOnce === 0) yield
    references.push(message.references.map(nodeFor))
  }
  const nodes = messages.length + dummies
  const parents = new Int32Array(nodes).fill(-1)
  const hasChild = new Uint8Array(nodes)
  const forest = new Forest(nodes)
  /** `child` has no parent. Nothing that has no child is anybody's ancestor. */
  const link = (parent: number, child: number): void => {
    if (parent === child || (hasChild[child] === 1 && forest.root(parent) === child)) return
    forest.link(child, parent)
    parents[child] = parent
    hasChild[parent] = 1
  }
  for (const [node, chain] of references.entries()) {
    if (node % referencesAtOnce === 0) yield
    // 1.A. A parent that is known stays: References may have been truncated.
    for (let i = 1; i < chain.length; i += 1) {
      const [parent = -1, child = -1] = [chain[i - 1], chain[i]]
      if (parents[child] === -1) link(parent, child)
    }
    // 1.B. The last reference is the parent, whatever other messages said.
    const last = chain.at(-1) ?? -1
    if (parents[node] === last) continue
    if (parents[node] !== -1) {
      forest.cut(node)
      parents[node] = -1
    }
    if (last !== -1) link(last, node)
  }
  return { parents, messages, nodes }
}

/**
 * Steps 2 and 3: the messages under the root. A dummy gives way to its children wherever it stands, but at the top only
 * if there is one child; one without children goes.
 */
function* pruned({ parents, messages, nodes }: Linked): Paced<Node[]> {
  const childrenOf: number[][] = []
  const roots: number[] = []
  for (let node = 0; node < nodes; node += 1) {
    if (node % messagesAtOnce === 0) yield
    const parent = parents[node] ?? -1
    if (parent === -1) roots.push(node)
    else (childrenOf[parent] ??= []).push(node)
  }
  const tops: Node[] = []
  let done = 0
  for (const root of roots) {
    if (++done % messagesAtOnce === 0) yield
    const top: Node = { message: messages[root], children: [] }
    // Each message goes to its nearest ancestor that is one, in the order in which promoting would put it.
    const work: { node: number; under: Node }[] = []
    const push = (parent: number, under: Node): void => {
      const children = childrenOf[parent] ?? []
      for (let i = children.length - 1; i >= 0; i -= 1) work.push({ node: children[i] ?? -1, under })
    }
    push(root, top)
    for (let next = work.pop(); next; next = work.pop()) {
      if (++done % messagesAtOnce === 0) yield
      const message = messages[next.node]
      if (!message) {
        push(next.node, next.under)
        continue
      }
      const made: Node = { message, children: [] }
      next.under.children.push(made)
      push(next.node, made)
    }
    if (top.message || top.children.length > 1) tops.push(top)
    else for (const child of top.children) tops.push(child)
  }
  return tops
}

/** Of a dummy, that of its first child; its children are sorted before anybody asks. */
const headOf = (node: Node): ThreadMessage | undefined => node.message ?? node.children[0]?.message

const bySent = (a: Node, b: Node): number => (headOf(a)?.sent ?? 0) - (headOf(b)?.sent ?? 0)

/** Two messages of one moment stand in the order of the mailbox, which is that of their numbers (§2.2). */
const inOrder = (a: Node, b: Node): number =>
  bySent(a, b) || (headOf(a)?.number ?? 0) - (headOf(b)?.number ?? 0)

/** Step 4. */
function* sortTop(heads: Node[]): Paced<Node[]> {
  for (const node of heads)
    if (!node.message) {
      node.children = yield* pacedSort(node.children, inOrder)
      yield
    }
  return yield* pacedSort(heads, inOrder)
}

/** Step 5. */
function* mergeSubjects(heads: readonly Node[]): Paced<Node[]> {
  const subjectOf = (node: Node): OctetString => headOf(node)?.subject ?? ''
  const isReply = (node: Node): boolean => node.message?.isReply === true
  const table = new Map<OctetString, Node>()
  let done = 0
  for (const node of heads) {
    if (++done % messagesAtOnce === 0) yield
    const subject = subjectOf(node)
    if (subject === '') continue
    const held = table.get(subject)
    if (!held || (held.message && (!node.message || (isReply(held) && !isReply(node)))))
      table.set(subject, node)
  }
  const top = new Set(heads)
  for (const node of heads) {
    if (++done % messagesAtOnce === 0) yield
    const subject = subjectOf(node)
    const held = subject === '' ? undefined : table.get(subject)
    if (!held || held === node) continue
    if (!held.message && !node.message) {
      for (const child of node.children) held.children.push(child)
      top.delete(node)
    } else if (!held.message || (isReply(node) && !isReply(held))) {
      held.children.push(node)
      top.delete(node)
    } else {
      // The dummy takes the place of the message in the table, so that both are found where that stood.
      const first: Node = { message: held.message, children: held.children }
      held.message = undefined
      held.children = [first, node]
      top.delete(node)
    }
  }
  return [...top]
}

/** Step 6: the youngest generation first, because a dummy is sorted by its first child. */
function* sortSiblings(heads: Node[]): Paced<Node[]> {
  const parents: Node[] = []
  const generations: (readonly Node[])[] = [heads]
  let done = 0
  for (const list of generations)
    for (const node of list) {
      if (++done % messagesAtOnce === 0) yield
      if (node.children.length === 0) continue
      parents.push(node)
      generations.push(node.children)
    }
  for (let node = parents.pop(); node; node = parents.pop()) {
    if (++done % messagesAtOnce === 0) yield
    node.children = yield* pacedSort(node.children, inOrder)
  }
  return yield* pacedSort(heads, inOrder)
}

/** One spelling for the quoted and the bare local part of a msg-id; case counts (SO-16). */
function normalizedId(id: string): string {
  const at = id.lastIndexOf('@')
  if (!id.startsWith('"') || id[at - 1] !== '"' || at < 2) return id
  return id.slice(1, at - 1).replace(/\\(.)/g, '$1') + id.slice(at)
}
