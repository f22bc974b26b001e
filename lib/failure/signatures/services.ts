/**
 * Signatures of the programs around a run: systemd, Slurm, Docker, a network.
 */
import { lines, phrase } from '../patterns.ts'
import { at, type Signature } from '../signature.ts'

const any = at('any')

/** Units, jobs, containers and connections. */
export const serviceSignatures: readonly Signature[] = [
  any(
    'job_refused',
    phrase`\b(?:sbatch|srun|salloc): error: (?!task|[\w-]{1,60}: task|Detected|Exceeded|\S{1,60}: Out Of)[^\n]{0,120}
      (?:invalid|unable|fail|not|violates|unavailable|exceed|denied|permission)`,
  ),
  any(
    'unit_not_started',
    phrase`status=2\d\d/[A-Z_]{3,30}|Failed at step [A-Z_]{3,30} spawning|Failed to (?:determine user credentials
      |locate executable|set up mount namespacing|load environment files)
      |Unit \S{2,80} (?:not found|is masked|could not be found)|Failed to start \S{2,80}: Unit
      |\.service:\d{1,5}: [^\n]{0,80}(?:not absolute|Unknown|Invalid|Missing)
      |\.service: [^\n]{0,60}(?:bad-setting|lacks (?:both )?Exec)`,
  ),
  any(
    'unit_failed',
    /\.service: (?:Watchdog timeout|start operation timed out|Failed with result '(?:watchdog|timeout)')/i,
  ),
  any('unit_failed', /Dependency failed for \S{2,80}\.service|failed with result 'dependency'/i, {
    rank: 'cascade',
  }),
  any(
    'unit_failed',
    phrase`Start request repeated too quickly|systemd\[\d{1,9}\]: [^\n]{2,100}(?:Failed with result|entered failed state
      |Main process exited)|Active: failed \(Result`,
    { rank: 'cascade' },
  ),
  any(
    'host_network',
    phrase`Temporary failure in name resolution|(?:could not|couldn't|cannot|failed to|unable to) resolve
      (?: host| name| '|:| "|\b)|getaddrinfo|NameResolutionError|Name or service not known|EAI_AGAIN
      |Network is unreachable|No route to host|CERTIFICATE_VERIFY_FAILED|SSL certificate problem
      |(?:certificate|x509)[^\n]{0,60}(?:expired|unknown authority|self-signed|not yet valid|verify failed)
      |(?:Failed to connect to|connect(?:ion)? to) [^\n]{3,80}(?:refused|timed out)
      |Max retries exceeded with url|Proxy(?:Error| Authentication Required)|\bETIMEDOUT\b|\bECONNRESET\b
      |Could not connect to \S{3,120}:\d{2,5}|TLS handshake timeout|ReadTimeoutError|ConnectTimeout
      |couldn't connect to 'https?:`,
    { unless: /hailo(?:rt)?[_.-]?(?:service|uds)|HailoRT\]/i },
  ),
  any(
    'host_network',
    lines`^(?:fatal|error|curl: \(\d{1,2}\)|wget|E): [^\n]{0,160}(?:connection (?:refused|timed out)
      |timed out|could not resolve|Connection reset)`,
  ),
  any(
    'port_in_use',
    phrase`EADDRINUSE|address already in use|port (?:\d{1,5} )?is already (?:allocated|in use)
      |bind: address already`,
  ),
  any(
    'container_runtime',
    phrase`Cannot connect to the Docker daemon|nvidia-container-cli: [^\n]{0,40}error|unknown (?:or invalid )?runtime
      \s?name|unresolvable CDI device|no matching manifest for|pull access denied|manifest (?:for \S{2,200} )?(?:unknown
      |not found)|Error response from daemon: (?![^\n]{0,60}(?:device driver|custom device))
      [^\n]{0,200}(?:fail|not|invalid|no such|denied|conflict|cannot|refused)`,
    { unless: /EADDRINUSE|address already in use|already allocated|permission denied/i },
  ),
]
