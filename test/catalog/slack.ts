import type { Vendor } from './vendor.ts';

const JSON_BODY = { 'content-type': 'application/json; charset=utf-8' };
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

export const slack: Vendor = {
  folder: 'slack',
  origins: ['https://slack.com'],
  service: 'slack',
  seed: { users: [{ name: 'ada', real_name: 'Ada', email: 'ada@example.com' }] },
  credentials: { 'slack-bot-token': 'xoxb-1' },
  headers: { authorization: 'Bearer xoxb-1' },
  // Slack answers 200 to what it refuses.
  succeeded: (answer) =>
    typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === true,
  operations: [
    {
      tool: 'slack_list_channels',
      args: { types: ['public_channel', 'private_channel'], exclude_archived: true, limit: 10 },
      request: 'POST /api/conversations.list',
      headers: FORM,
      body: 'types=public_channel%2Cprivate_channel&exclude_archived=true&limit=10',
      learn: { channel: '/channels/0/id' },
    },
    {
      tool: 'slack_post_message',
      args: { channel: '<channel>', text: 'Hi <!here> & *all* ☃', unfurl_links: false },
      request: 'POST /api/chat.postMessage',
      headers: JSON_BODY,
      body: '{"channel":"<channel>","text":"Hi <!here> & *all* ☃","unfurl_links":false}',
      learn: { ts: '/ts' },
    },
    {
      tool: 'slack_post_message',
      args: { channel: '<channel>', text: 'A reply', thread_ts: '<ts>', reply_broadcast: true },
      request: 'POST /api/chat.postMessage',
      headers: JSON_BODY,
      body: '{"channel":"<channel>","text":"A reply","thread_ts":"<ts>","reply_broadcast":true}',
    },
    {
      tool: 'slack_update_message',
      args: { channel: '<channel>', ts: '<ts>', text: 'Changed' },
      request: 'POST /api/chat.update',
      headers: JSON_BODY,
      body: '{"channel":"<channel>","ts":"<ts>","text":"Changed"}',
    },
    {
      tool: 'slack_read_channel',
      args: { channel: '<channel>', oldest: '0', inclusive: true, limit: 20 },
      request: 'POST /api/conversations.history',
      headers: FORM,
      body: 'channel=<channel>&oldest=0&inclusive=true&limit=20',
    },
    {
      tool: 'slack_read_thread',
      args: { channel: '<channel>', ts: '<ts>' },
      request: 'POST /api/conversations.replies',
      headers: FORM,
      body: 'channel=<channel>&ts=<ts>',
    },
    {
      tool: 'slack_add_reaction',
      args: { channel: '<channel>', timestamp: '<ts>', name: '+1' },
      request: 'POST /api/reactions.add',
      headers: JSON_BODY,
      body: '{"channel":"<channel>","timestamp":"<ts>","name":"+1"}',
    },
    {
      tool: 'slack_list_users',
      args: { limit: 5 },
      request: 'POST /api/users.list',
      headers: FORM,
      body: 'limit=5',
    },
    {
      tool: 'slack_find_user_by_email',
      args: { email: 'ada@example.com' },
      request: 'POST /api/users.lookupByEmail',
      headers: FORM,
      body: 'email=ada%40example.com',
    },
    {
      tool: 'slack_schedule_message',
      args: { channel: '<channel>', text: 'Later', post_at: '#<tomorrow>' },
      request: 'POST /api/chat.scheduleMessage',
      headers: JSON_BODY,
      body: '{"channel":"<channel>","text":"Later","post_at":<tomorrow>}',
    },
    {
      tool: 'slack_delete_message',
      args: { channel: '<channel>', ts: '<ts>' },
      request: 'POST /api/chat.delete',
      headers: JSON_BODY,
      body: '{"channel":"<channel>","ts":"<ts>"}',
    },
  ],
};
