import type { Vendor } from './vendor.ts';

const JSON_BODY = { 'content-type': 'application/json' };

export const resend: Vendor = {
  folder: 'resend',
  origins: ['https://api.resend.com'],
  service: 'resend',
  seed: {
    domains: [{ name: 'example.com' }],
    contacts: [{ email: 'bob@example.com', first_name: 'Bob', last_name: 'B' }],
  },
  credentials: { 'resend-key': 're_1' },
  headers: { authorization: 'Bearer re_1' },
  operations: [
    {
      tool: 'resend_send_email',
      args: {
        ...{ from: 'Ada <ada@example.com>', to: ['bob@example.com'], subject: 'Grüße', text: 'Hi.' },
        scheduled_at: '2036-01-01T00:00:00Z',
      },
      request: 'POST /emails',
      headers: { ...JSON_BODY, 'idempotency-key': '<call>' },
      body: '{"from":"Ada <ada@example.com>","to":["bob@example.com"],"subject":"Grüße","text":"Hi.","scheduled_at":"2036-01-01T00:00:00Z"}',
      learn: { email: '/id' },
    },
    { tool: 'resend_list_emails', args: { limit: 5 }, request: 'GET /emails?limit=5' },
    { tool: 'resend_get_email', args: { email_id: '<email>' }, request: 'GET /emails/<email>' },
    {
      tool: 'resend_reschedule_email',
      args: { email_id: '<email>', scheduled_at: '2036-02-01T00:00:00Z' },
      request: 'PATCH /emails/<email>',
      headers: JSON_BODY,
      body: '{"scheduled_at":"2036-02-01T00:00:00Z"}',
      lacked: true,
    },
    { tool: 'resend_cancel_email', args: { email_id: '<email>' }, request: 'POST /emails/<email>/cancel' },
    { tool: 'resend_list_domains', request: 'GET /domains' },
    { tool: 'resend_list_audiences', request: 'GET /audiences', learn: { audience: '/data/0/id' } },
    {
      tool: 'resend_create_contact',
      args: { audience_id: '<audience>', email: 'eve@example.com', first_name: 'Eve', unsubscribed: false },
      request: 'POST /audiences/<audience>/contacts',
      headers: JSON_BODY,
      body: '{"email":"eve@example.com","first_name":"Eve","unsubscribed":false}',
      learn: { contact: '/id' },
    },
    {
      tool: 'resend_list_contacts',
      args: { audience_id: '<audience>' },
      request: 'GET /audiences/<audience>/contacts',
    },
    {
      tool: 'resend_delete_contact',
      args: { audience_id: '<audience>', contact_id: '<contact>' },
      request: 'DELETE /audiences/<audience>/contacts/<contact>',
    },
  ],
};
