/**
 * A filter of system calls (seccomp, classic BPF) for programs that are not ours. What a server needs to read, write,
 * compute and connect is left alone. What reaches into other processes, the kernel's settings or new namespaces is
 * refused: that is where the kernel's faults are found that lead out of a sandbox.
 */

const LOAD_WORD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_SET = 0x45;
const JUMP_GREATER_EQUAL = 0x35;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const ERRNO = 0x00050000;
const EPERM = 1;
const ENOSYS = 38;
/** Offsets in `struct seccomp_data`. */
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const FIRST_ARGUMENT_AT = 16;
const CLONE_NEWUSER = 0x10000000;
/** x86-64 takes calls of the x32 interface under other numbers, from this one on. */
const X32_FIRST = 0x40000000;

interface Architecture {
  audit: number;
  clone: number;
  memfdCreate: number;
  refused: readonly number[];
}

/** The same numbers everywhere: pidfd_getfd, io_uring, and the newer calls for mounts. */
const NEWER = [425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442];
const CLONE3 = 435;

const architectures: Readonly<Record<string, Architecture>> = {
  x64: {
    audit: 0xc000003e,
    clone: 56,
    memfdCreate: 319,
    // ptrace, syslog, pivot_root, chroot, acct, mount, umount2, swapon, swapoff, reboot, modules, quotactl, kexec, keys,
    // unshare, perf_event_open, handles, setns, process_vm_*, kcmp, kexec_file_load, bpf, userfaultfd
    refused: [
      101, 103, 155, 161, 163, 165, 166, 167, 168, 169, 175, 176, 179, 246, 248, 249, 250, 272, 298, 303, 304,
      308, 310, 311, 312, 313, 320, 321, 323,
    ],
  },
  arm64: {
    audit: 0xc00000b7,
    clone: 220,
    memfdCreate: 279,
    refused: [
      117, 116, 41, 51, 89, 40, 39, 224, 225, 142, 105, 106, 60, 104, 217, 218, 219, 97, 241, 264, 265, 268,
      270, 271, 272, 273, 294, 280, 282,
    ],
  },
};

/** Returns the filter for a processor, or undefined for one whose numbers are not known here. */
export function seccompFilter(architecture: string = process.arch): Uint8Array | undefined {
  const numbers = architectures[architecture];
  if (numbers === undefined) return undefined;
  const { audit, clone, memfdCreate, refused } = numbers;
  const refuse = (number: number, errno: number) => [
    step(JUMP_EQUAL, number, 0, 1),
    step(RETURN, ERRNO | errno),
  ];
  return Buffer.concat([
    step(LOAD_WORD, ARCHITECTURE_AT),
    step(JUMP_EQUAL, audit, 1, 0),
    step(RETURN, KILL_PROCESS),
    step(LOAD_WORD, NUMBER_AT),
    ...(architecture === 'x64'
      ? [step(JUMP_GREATER_EQUAL, X32_FIRST, 0, 1), step(RETURN, KILL_PROCESS)]
      : []),
    ...[...refused, ...NEWER].flatMap((number) => refuse(number, EPERM)),
    // Its flags stand in memory, where no filter can look: programs go back to clone.
    ...refuse(CLONE3, ENOSYS),
    // Memory that is counted nowhere.
    ...refuse(memfdCreate, ENOSYS),
    step(JUMP_EQUAL, clone, 0, 3),
    step(LOAD_WORD, FIRST_ARGUMENT_AT),
    step(JUMP_SET, CLONE_NEWUSER, 0, 1),
    step(RETURN, ERRNO | EPERM),
    step(RETURN, ALLOW),
  ]);
}

/** One instruction: `struct sock_filter`. */
function step(code: number, value: number, whenTrue = 0, whenFalse = 0): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(whenTrue, 2);
  bytes.writeUInt8(whenFalse, 3);
  bytes.writeUInt32LE(value >>> 0, 4);
  return bytes;
}
