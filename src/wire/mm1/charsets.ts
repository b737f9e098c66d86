/** Charsets by MIBenum (IANA), those that handsets use. */
const names = new Map<number, string>([
  [0, 'us-ascii'],
  [3, 'us-ascii'],
  [4, 'iso-8859-1'],
  [5, 'iso-8859-2'],
  [6, 'iso-8859-3'],
  [7, 'iso-8859-4'],
  [8, 'iso-8859-5'],
  [9, 'iso-8859-6'],
  [10, 'iso-8859-7'],
  [11, 'iso-8859-8'],
  [12, 'iso-8859-9'],
  [13, 'iso-8859-10'],
  [17, 'shift_jis'],
  [18, 'euc-jp'],
  [38, 'euc-kr'],
  [39, 'iso-2022-jp'],
  [106, 'utf-8'],
  [109, 'iso-8859-13'],
  [110, 'iso-8859-14'],
  [111, 'iso-8859-15'],
  [113, 'gbk'],
  [114, 'gb18030'],
  [1000, 'iso-10646-ucs-2'],
  [1012, 'utf-7'],
  [1013, 'utf-16be'],
  [1014, 'utf-16le'],
  [1015, 'utf-16'],
  [2025, 'gb2312'],
  [2026, 'big5'],
  [2084, 'koi8-r'],
  [2088, 'koi8-u'],
  [2250, 'windows-1250'],
  [2251, 'windows-1251'],
  [2252, 'windows-1252'],
  [2253, 'windows-1253'],
  [2254, 'windows-1254'],
  [2255, 'windows-1255'],
  [2256, 'windows-1256'],
  [2257, 'windows-1257'],
  [2258, 'windows-1258'],
  [2259, 'tis-620'],
])
const numbers = new Map([...names].map(([mib, name]): [string, number] => [name, mib]))

/** 'x-mib-N' where the number is not known: decoding then guesses, and encoding gives the number back. */
export const charsetName = (mib: number): string => names.get(mib) ?? `x-mib-${mib}`

/** undefined: the name has no number that we know. */
export function charsetMib(name: string): number | undefined {
  const lower = name.trim().toLowerCase()
  const own = /^x-mib-(\d{1,5})$/.exec(lower)?.[1]
  return own === undefined ? numbers.get(lower) : Number(own)
}

/** Whether a character has two octets. */
export const isWide = (mib: number): boolean => mib === 1000 || (mib >= 1013 && mib <= 1015)
