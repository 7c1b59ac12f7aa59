import { describe, expect, test } from 'vitest';
import { mayReach, parseOpenedAddresses } from './address.ts';

describe('an address', () => {
  test.each([
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.1.1.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:2::1',
    '2001:10::1',
    '2001:20::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '4000::1',
    '2606:4700::5efe:127.0.0.1',
    '2606:4700::200:5efe:7f00:1',
    'localhost',
    '',
    '1',
    '0x7f.1',
  ])('that is not public unicast is refused: %s', (address) => {
    expect(mayReach(address, [])).toBe(false);
  });

  test.each(['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450:4001::1'])(
    'that is public is reached: %s',
    (address) => expect(mayReach(address, [])).toBe(true),
  );

  test('that is allowed is reached, and none beside it', () => {
    const opened = parseOpenedAddresses(['127.0.0.1/32', '10.1.0.0/16', '::1', 'fd00:1::/32']);
    expect(['127.0.0.1', '10.1.2.3', '::1', 'fd00:1::9'].every((address) => mayReach(address, opened))).toBe(
      true,
    );
    const beside = ['127.0.0.2', '10.2.0.1', '::2', 'fd00:2::9', '::ffff:127.0.0.1', '::ffff:10.1.2.3'];
    expect(beside.some((address) => mayReach(address, opened))).toBe(false);
  });

  test.each([
    '',
    'localhost',
    '127.0.0.1/33',
    '127.1/32',
    '0.0.0.0/0',
    '10.0.0.0/7',
    '::/0',
    'fe80::1%eth0',
    '10.0.0.1/',
  ])('is not allowed by an entry that is wrong or too wide: %j', (entry) =>
    expect(() => parseOpenedAddresses([entry])).toThrow(/entry of allowPrivate/),
  );
});
