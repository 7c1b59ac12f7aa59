import type { Vendor } from './vendor.ts';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const ACCOUNT = 'AC00000000000000000000000000000000';
const TOKEN = 'twilio_test_auth_token';
const SERVICE = 'VA00000000000000000000000000000000';

export const twilio: Vendor = {
  folder: 'twilio',
  origins: ['https://api.twilio.com', 'https://verify.twilio.com'],
  service: 'twilio',
  credentials: { 'twilio-account-sid': ACCOUNT, 'twilio-auth-token': TOKEN },
  headers: { authorization: `Basic ${Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64')}` },
  paths: { 'verify.twilio.com': '/verify' },
  operations: [
    {
      tool: 'twilio_send_message',
      args: {
        ...{ to: '+15550002222', from: '+15551234567', body: 'Hi & bye' },
        media_urls: ['https://a.example/1.png', 'https://a.example/2.png'],
      },
      request: `POST /2010-04-01/Accounts/${ACCOUNT}/Messages.json`,
      headers: FORM,
      body: 'To=%2B15550002222&From=%2B15551234567&Body=Hi+%26+bye&MediaUrl=https%3A%2F%2Fa.example%2F1.png&MediaUrl=https%3A%2F%2Fa.example%2F2.png',
      learn: { message: '/sid' },
    },
    {
      tool: 'twilio_get_message',
      args: { message: '<message>' },
      request: `GET /2010-04-01/Accounts/${ACCOUNT}/Messages/<message>.json`,
    },
    {
      tool: 'twilio_list_messages',
      args: { to: '+15550002222', sent_on: '2026-11-28', page_size: 20 },
      request: `GET /2010-04-01/Accounts/${ACCOUNT}/Messages.json?To=%2B15550002222&DateSent=2026-11-28&PageSize=20`,
    },
    {
      tool: 'twilio_delete_message',
      args: { message: '<message>' },
      request: `DELETE /2010-04-01/Accounts/${ACCOUNT}/Messages/<message>.json`,
    },
    {
      tool: 'twilio_make_call',
      args: { to: '+15550002222', from: '+15551234567', say: 'Your table is ready.' },
      request: `POST /2010-04-01/Accounts/${ACCOUNT}/Calls.json`,
      headers: FORM,
      body: 'To=%2B15550002222&From=%2B15551234567&Twiml=%3CResponse%3E%3CSay%3EYour+table+is+ready.%3C%2FSay%3E%3C%2FResponse%3E',
      learn: { call_sid: '/sid' },
    },
    {
      tool: 'twilio_get_call',
      args: { call: '<call_sid>' },
      request: `GET /2010-04-01/Accounts/${ACCOUNT}/Calls/<call_sid>.json`,
    },
    {
      tool: 'twilio_list_calls',
      args: { status: 'in-progress', page_size: 5 },
      request: `GET /2010-04-01/Accounts/${ACCOUNT}/Calls.json?Status=in-progress&PageSize=5`,
    },
    {
      tool: 'twilio_end_call',
      args: { call: '<call_sid>' },
      request: `POST /2010-04-01/Accounts/${ACCOUNT}/Calls/<call_sid>.json`,
      headers: FORM,
      body: 'Status=completed',
    },
    {
      tool: 'twilio_start_verification',
      args: { service: SERVICE, to: '+15550002222', channel: 'sms' },
      request: `POST /v2/Services/${SERVICE}/Verifications`,
      headers: FORM,
      body: 'To=%2B15550002222&Channel=sms',
    },
    {
      tool: 'twilio_check_verification',
      args: { service: SERVICE, to: '+15550002222', code: '123456' },
      request: `POST /v2/Services/${SERVICE}/VerificationCheck`,
      headers: FORM,
      body: 'To=%2B15550002222&Code=123456',
    },
  ],
};
