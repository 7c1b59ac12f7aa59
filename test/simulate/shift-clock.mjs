/** Loaded before a service: its wall clock is wrong by INTERLOCK_TEST_CLOCK_OFFSET_MS, as on a host that nobody keeps in time. */
const offsetMs = Number(process.env.INTERLOCK_TEST_CLOCK_OFFSET_MS ?? 0);
const RealDate = Date;
const realNow = Date.now.bind(Date);

globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(realNow() + offsetMs);
    else super(...parts);
  }

  static now() {
    return realNow() + offsetMs;
  }
};
