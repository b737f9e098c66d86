/** Cases that pass. Only ever added to: a case that is here and fails, or passes and is not here, fails the test. */
export const passing: ReadonlySet<string> = new Set(
  `
  S01 S02 S03 S04 S05 S07 S08 S09 S11 S12 S14 S16
  S17 S18 S19 S20 S21 S22 S23 S24 S25 S26 S27 S28
  S31 S32 S33 S34 S35 S36 S38 S59 S61 S62 S63 S66
  S67 S68 S72 S73 S74 S78 S80 S81
`
    .trim()
    .split(/\s+/),
)
