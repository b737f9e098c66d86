/** Opens a listener; what stands in its way is told with the key of the configuration that changes it. */
import { type Config, hostPort } from './config.ts'
import { Fault } from './model/fault.ts'

/** @throws Fault 'in-use' or 'unavailable' that names the port, its key and how to change it */
export async function listening(
  key: keyof Config['listen'],
  wanted: string,
  server: { listen(host: string, port: number): Promise<{ host: string; port: number }> },
): Promise<{ host: string; port: number }> {
  const { host, port } = hostPort(wanted)
  try {
    return await server.listen(host, port)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const change = `set listen.${key} in the configuration file to another address, such as ${host}:${port + 10_000 > 65_535 ? 0 : port + 10_000}`
    if (code === 'EADDRINUSE')
      throw new Fault('in-use', `port ${port} on ${host} is in use (listen.${key}): ${change}`, {
        cause: error,
      })
    if (code === 'EACCES' || code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
      throw new Fault(
        'unavailable',
        `cannot listen on ${wanted} (listen.${key}, ${code}): ${change}, or give the process the right to it`,
        { cause: error },
      )
    throw error
  }
}
