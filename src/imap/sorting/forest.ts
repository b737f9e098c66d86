/**
 * A forest of rooted trees under link and cut, with the root of any node in logarithmic amortised time (Sleator and
 * Tarjan's link/cut trees): THREAD asks for every link whether it would close a loop, and walking up to the root each
 * time takes quadratic time on a long thread (SO-17). Nodes are numbers below `size`.
 */
export class Forest {
  /** Splay trees of preferred paths, ordered by depth. -1: none. `above` of a splay root: the path's parent. */
  readonly #left: Int32Array
  readonly #right: Int32Array
  readonly #above: Int32Array

  constructor(size: number) {
    this.#left = new Int32Array(size).fill(-1)
    this.#right = new Int32Array(size).fill(-1)
    this.#above = new Int32Array(size).fill(-1)
  }

  /** `child` must be a root, and not that of `parent`. */
  link(child: number, parent: number): void {
    this.#access(child)
    this.#above[child] = parent
  }

  /** Separates a node from its parent. */
  cut(node: number): void {
    this.#access(node)
    const left = this.#at(this.#left, node)
    if (left < 0) return
    this.#above[left] = -1
    this.#left[node] = -1
  }

  root(node: number): number {
    this.#access(node)
    let at = node
    for (let left = this.#at(this.#left, at); left >= 0; left = this.#at(this.#left, at)) at = left
    this.#splay(at)
    return at
  }

  #at(array: Int32Array, index: number): number {
    return array[index] ?? -1
  }

  /** Makes the way from the root to the node one path, with the node at the root of its splay tree. */
  #access(node: number): void {
    this.#splay(node)
    this.#right[node] = -1
    for (let top = this.#at(this.#above, node); top >= 0; top = this.#at(this.#above, node)) {
      this.#splay(top)
      this.#right[top] = node
      this.#splay(node)
    }
  }

  #isSplayRoot(node: number): boolean {
    const above = this.#at(this.#above, node)
    return above < 0 || (this.#left[above] !== node && this.#right[above] !== node)
  }

  #splay(node: number): void {
    while (!this.#isSplayRoot(node)) {
      const parent = this.#at(this.#above, node)
      if (!this.#isSplayRoot(parent)) {
        const grand = this.#at(this.#above, parent)
        const straight = (this.#left[grand] === parent) === (this.#left[parent] === node)
        this.#rotate(straight ? parent : node)
      }
      this.#rotate(node)
    }
  }

  #rotate(node: number): void {
    const parent = this.#at(this.#above, node)
    const grand = this.#at(this.#above, parent)
    if (!this.#isSplayRoot(parent)) {
      if (this.#left[grand] === parent) this.#left[grand] = node
      else this.#right[grand] = node
    }
    const isLeft = this.#left[parent] === node
    const [near, far] = isLeft ? [this.#left, this.#right] : [this.#right, this.#left]
    const moved = this.#at(far, node)
    near[parent] = moved
    if (moved >= 0) this.#above[moved] = parent
    far[node] = parent
    this.#above[parent] = node
    this.#above[node] = grand
  }
}
