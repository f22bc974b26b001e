/**
 * What the programs around a run (systemd, Slurm, Docker, a network) end or refuse.
 */
import { bucketAt, type Bucket } from '../bucket.ts'

const any = bucketAt('any')

/** Buckets of units, jobs, containers and connections. */
export const serviceBuckets: Readonly<Record<string, Bucket>> = {
  job_refused: any(
    'JobRefused',
    'Slurm refused the job: a partition, an account, a resource or a limit that does not fit',
    'sinfo -o "%P %l %c %m %G" shows partitions, limits and resources',
    [
      {
        when: /\baccount|qos|association/i,
        cause: 'Slurm does not take this account or QOS: {jobError}',
        fix: 'sacctmgr show assoc user="$USER" format=account,partition,qos; then sbatch --account=NAME',
      },
      {
        when: /partition/i,
        cause: 'Slurm has no partition of that name, or this account may not use it: {jobError}',
        fix: 'sinfo -o "%P %l %c %m %G"; then sbatch --partition=NAME',
      },
      {
        when: /node configuration|CPU count|memory specification|generic resource|gres|exceed/i,
        cause: 'the job asks for more, or for other resources, than a node has: {jobError}',
        fix: 'sinfo -N -o "%N %c %m %G" shows what the nodes have',
      },
      {
        when: /contact slurm controller|connect|socket/i,
        cause: 'the controller of Slurm does not answer: {jobError}',
        fix: 'scontrol ping; on its host: systemctl status slurmctld',
      },
      {
        cause: 'Slurm refused the job: {jobError}',
        fix: 'sinfo -o "%P %l %c %m %G" shows partitions, limits and resources',
      },
    ],
  ),
  unit_not_started: any(
    'UnitFailed',
    'systemd could not start the program of a unit',
    'systemctl status UNIT; systemd-analyze verify UNIT',
    [
      {
        when: /203\/EXEC|locate executable|step EXEC/i,
        cause: 'systemd cannot execute the program of {unit}: it is not there, not executable, or has no interpreter',
        fix: 'systemctl cat {unit} | grep ExecStart; ls -l that path; it must be absolute',
      },
      {
        when: /217\/USER|216\/GROUP|user credentials|step (?:USER|GROUP)/i,
        cause: 'the user or group that {unit} names does not exist',
        fix: 'systemctl cat {unit} | grep -E "User=|Group="; then sudo useradd --system NAME, or correct the name',
      },
      {
        when: /200\/CHDIR|step CHDIR/i,
        cause: 'the working directory of {unit} is not there, or its user may not enter it',
        fix: 'systemctl cat {unit} | grep WorkingDirectory; ls -ld that path',
      },
      {
        when: /226\/NAMESPACE|mount namespac/i,
        cause: 'systemd could not set up the sandbox of {unit}: a path that it names is not there',
        fix: 'systemctl cat {unit} | grep -E "Paths=|Private|Protect|BindPaths"; create that path, or drop the line',
      },
      {
        when: /environment file/i,
        cause: 'the environment file of {unit} is not there or cannot be read',
        fix: 'systemctl cat {unit} | grep EnvironmentFile; a leading - makes it optional',
      },
      {
        when: /not found|could not be found|masked/i,
        cause: 'systemd knows no unit {unit}, or it is masked',
        fix: 'systemctl list-unit-files | grep {unit}; sudo systemctl daemon-reload',
      },
      {
        cause: 'systemd could not start the program of {unit}',
        fix: 'systemctl status {unit}; systemd-analyze verify {unit}',
      },
    ],
  ),
  unit_failed: any(
    'UnitFailed',
    'the program of a unit ended with an error, and the log does not hold its own words',
    'journalctl -u UNIT -n 100 --no-pager',
    [
      {
        when: /watchdog/i,
        cause: 'the program of {unit} did not report to systemd in time, and systemd ended it',
        fix: 'journalctl -u {unit} -n 100 --no-pager; systemctl cat {unit} | grep WatchdogSec',
      },
      {
        when: /start operation timed out|Failed with result 'timeout'/i,
        cause: 'the program of {unit} was not ready in time, and systemd ended it',
        fix: 'journalctl -u {unit} -n 100 --no-pager; systemctl cat {unit} | grep -E "TimeoutStartSec|Type="',
      },
      {
        when: /dependency/i,
        cause: 'systemd did not start {unit}, because a unit that it requires failed',
        fix: 'systemctl list-dependencies {unit}; systemctl --failed; then journalctl -b -u of the one that failed',
      },
      {
        cause: 'the program of {unit} ended with an error, and this log does not hold its own words',
        fix: 'journalctl -u {unit} -n 100 --no-pager',
      },
    ],
  ),
  host_network: any(
    'NetworkError',
    'a server on the network was not reached',
    'curl -I the address from this machine; behind a proxy set HTTPS_PROXY',
    [
      {
        when: /refused/i,
        cause: 'nothing listens on port {port} there: the service is not started, or listens elsewhere',
        fix: 'on that machine: sudo ss -ltnp "sport = :{port}"; systemctl --failed',
      },
      {
        when: /certificate|x509|SSL/i,
        cause: "the server's certificate was not accepted: the clock is wrong, or a proxy stands between",
        fix: 'date; then: sudo apt install --reinstall ca-certificates',
      },
      {
        cause: 'the server {host} was not reached from this machine',
        fix: 'getent hosts {host}; curl -I https://{host}; behind a proxy set HTTPS_PROXY',
      },
    ],
  ),
  tool_usage: any('UsageError', 'a program was called with a value that it does not take', 'call it with --help', [
    { cause: 'the argument {argument} takes no {given}', fix: 'give one of {choices}' },
  ]),
  host_storage: any(
    'StorageError',
    'the card or disk of this machine gives read or write errors',
    'sudo dmesg | grep -iE "mmc|ext4|I/O error"; save what is on it, and take another card or disk',
  ),
  port_in_use: any(
    'AddressInUse',
    'another program listens on the port already',
    'sudo ss -ltnp shows who listens; end it, or take another port',
    [
      {
        cause: 'another program listens on port {port} already',
        fix: 'sudo ss -ltnp "sport = :{port}" shows who; end it, or take another port',
      },
    ],
  ),
  container_runtime: any(
    'ContainerError',
    'Docker could not start the container',
    'docker info; journalctl -u docker -n 50 --no-pager',
    [
      {
        when: /Cannot connect to the Docker daemon/i,
        cause: 'the Docker daemon does not run, or this user may not talk to it',
        fix: 'sudo systemctl start docker; groups | grep docker',
      },
      {
        when: /driver not loaded|nvml error|libnvidia-ml|libcuda\.so/i,
        cause: "the host's NVIDIA driver is not loaded, so no container can get the GPU",
        fix: 'on the host: nvidia-smi; where it fails: sudo modprobe nvidia, or install the driver',
      },
      {
        when: /unsatisfied condition: cuda/i,
        cause: "the image wants a newer CUDA than the host's driver serves",
        fix: 'on the host: nvidia-smi shows which CUDA the driver serves; upgrade it, or take an older image',
      },
      {
        when: /mount error: file creation failed/i,
        cause: 'the image holds a library that the Jetson would mount into it: it was made for another JetPack',
        fix: 'cat /etc/nv_tegra_release; take an image of that release (l4t-… of the same number)',
      },
      {
        when: /mount error/i,
        cause: 'the NVIDIA runtime could not mount the files of the driver into the container',
        fix: 'sudo nvidia-container-cli -k -d /dev/stderr info; nvidia-smi',
      },
      {
        when: /runtime name|CDI device|nvidia-container/i,
        cause: 'Docker does not know the runtime that gives a container the GPU',
        fix:
          'sudo apt install nvidia-container-toolkit; sudo nvidia-ctk runtime configure --runtime=docker; sudo ' +
          'systemctl restart docker',
      },
      {
        when: /no matching manifest/i,
        cause: 'the image does not exist for the processor of this machine',
        fix: 'uname -m; docker manifest inspect IMAGE shows for which it exists',
      },
      {
        when: /pull access denied|manifest/i,
        cause: 'the image or its tag does not exist, or wants a login',
        fix: 'docker manifest inspect IMAGE; docker login REGISTRY',
      },
    ],
  ),
}
